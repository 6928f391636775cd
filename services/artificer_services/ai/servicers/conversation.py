"""The servicer of artificer.conversation.v1.ConversationService: maps protos to conversations and decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from google.protobuf.empty_pb2 import Empty

from artificer.conversation.v1 import conversation_service_pb2 as pb
from artificer.conversation.v1 import conversation_service_pb2_grpc

from ...kit.client_stream import ClientStream, Unreadable
from ...kit.errors import Invalid
from ...kit.metadata import IDEMPOTENCY_KEY, metadata_value
from ...kit.statuses import Context
from ..conversations.answers import AnswerStreams
from ..conversations.conversations import Conversations
from ..conversations.dialogue import Dialogues, Refusal, Said
from ..conversations.values import Sending
from .caller import caller_id
from .chat_values import to_options
from .conversation_values import (
    conversation_in,
    conversation_out,
    event_out,
    message_out,
    project_in,
    project_out,
    response_out,
)
from .statuses import STATUSES


class ConversationServicer(conversation_service_pb2_grpc.ConversationServiceServicer):
    """Serves ConversationService."""

    def __init__(self, conversations: Conversations, streams: AnswerStreams, dialogues: Dialogues) -> None:
        self._conversations, self._streams, self._dialogues = conversations, streams, dialogues

    # Projects.

    async def CreateProject(self, request: pb.CreateProjectRequest, context: Context) -> pb.Project:
        async with STATUSES.abort_on_error(context):
            draft = project_in(request.project)
            made = await self._conversations.create_project(draft, _request_id(request, context), caller_id())
        return project_out(made)

    async def GetProject(self, request: pb.GetProjectRequest, context: Context) -> pb.Project:
        async with STATUSES.abort_on_error(context):
            return project_out(await self._conversations.project(request.project))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: Context) -> pb.ListProjectsResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._conversations.projects(size=request.page_size, token=request.page_token)
        return pb.ListProjectsResponse(projects=map(project_out, found), next_page_token=token)

    async def UpdateProject(self, request: pb.UpdateProjectRequest, context: Context) -> pb.Project:
        project = request.project
        async with STATUSES.abort_on_error(context):
            paths = list(request.update_mask.paths) if request.HasField("update_mask") else None
            draft = project_in(project)
            return project_out(await self._conversations.update_project(project.id, draft, paths, project.etag))

    async def DeleteProject(self, request: pb.DeleteProjectRequest, context: Context) -> Empty:
        async with STATUSES.abort_on_error(context):
            await self._conversations.delete_project(request.project, force=request.force)
        return Empty()

    # Conversations.

    async def CreateConversation(self, request: pb.CreateConversationRequest, context: Context) -> pb.Conversation:
        async with STATUSES.abort_on_error(context):
            draft = conversation_in(request.conversation)
            made = await self._conversations.create_conversation(draft, _request_id(request, context), caller_id())
        return conversation_out(made)

    async def GetConversation(self, request: pb.GetConversationRequest, context: Context) -> pb.Conversation:
        async with STATUSES.abort_on_error(context):
            return conversation_out(await self._conversations.conversation(request.conversation))

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: Context
    ) -> pb.ListConversationsResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._conversations.conversations(
                project=request.project, size=request.page_size, token=request.page_token
            )
        return pb.ListConversationsResponse(conversations=map(conversation_out, found), next_page_token=token)

    async def UpdateConversation(self, request: pb.UpdateConversationRequest, context: Context) -> pb.Conversation:
        given = request.conversation
        async with STATUSES.abort_on_error(context):
            paths = list(request.update_mask.paths) if request.HasField("update_mask") else None
            draft = conversation_in(given)
            return conversation_out(await self._conversations.update_conversation(given.id, draft, paths, given.etag))

    async def DeleteConversation(self, request: pb.DeleteConversationRequest, context: Context) -> Empty:
        async with STATUSES.abort_on_error(context):
            await self._conversations.delete_conversation(request.conversation)
        return Empty()

    async def ForkConversation(self, request: pb.ForkConversationRequest, context: Context) -> pb.Conversation:
        async with STATUSES.abort_on_error(context):
            made = await self._conversations.fork(
                request.conversation,
                message=request.message,
                display_name=request.display_name,
                request_id=_request_id(request, context),
                caller=caller_id(),
            )
        return conversation_out(made)

    # Messages.

    async def GetMessage(self, request: pb.GetMessageRequest, context: Context) -> pb.Message:
        async with STATUSES.abort_on_error(context):
            return message_out(await self._conversations.message(request.conversation, request.message))

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Context) -> pb.ListMessagesResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._conversations.messages(
                request.conversation, size=request.page_size, token=request.page_token
            )
        return pb.ListMessagesResponse(messages=map(message_out, found), next_page_token=token)

    async def SendMessage(self, request: pb.SendMessageRequest, context: Context) -> AsyncIterator[pb.AnswerEvent]:
        async with STATUSES.abort_on_error(context):
            sending = Sending(
                conversation=request.conversation,
                content=request.content,
                options=to_options(request.options),
                request_id=_request_id(request, context),
                caller=caller_id(),
            )
            async with aclosing(self._streams.send(sending)) as events:
                async for batch in events:
                    for event in batch:
                        yield event_out(event)

    async def RegenerateMessage(
        self, request: pb.RegenerateMessageRequest, context: Context
    ) -> AsyncIterator[pb.AnswerEvent]:
        async with STATUSES.abort_on_error(context):
            options = to_options(request.options)
            async with aclosing(self._streams.regenerate(request.conversation, options, caller_id())) as events:
                async for batch in events:
                    for event in batch:
                        yield event_out(event)

    async def StopGeneration(self, request: pb.StopGenerationRequest, context: Context) -> pb.StopGenerationResponse:
        async with STATUSES.abort_on_error(context):
            stopped = await self._streams.stop(request.conversation)
        return pb.StopGenerationResponse(message=message_out(stopped) if stopped else None)

    async def Converse(
        self, request_iterator: AsyncIterator[pb.ConverseRequest], context: Context
    ) -> AsyncIterator[pb.ConverseResponse]:
        requests = ClientStream(request_iterator)
        try:
            async with (
                STATUSES.abort_on_error(context),
                aclosing(self._dialogues.run(_said(requests), caller_id())) as events,
            ):
                async for batch in events:
                    for event in batch:
                        yield response_out(event)
        except Unreadable as error:
            await STATUSES.abort(context, error, f"message {requests.position} of the stream was refused: ")


async def _said(requests: ClientStream[pb.ConverseRequest]) -> AsyncIterator[Said | Refusal]:
    """Yields what the caller says, and the refusal of a message whose options are wrong."""
    async for request in requests:
        try:
            options = to_options(request.options)
        except Invalid as error:
            yield Refusal(error, request.request_id, request.conversation)
            continue
        yield Said(
            conversation=request.conversation,
            content=request.content,
            stop=request.stop,
            options=options,
            request_id=request.request_id,
        )


def _request_id(
    request: pb.CreateProjectRequest
    | pb.CreateConversationRequest
    | pb.ForkConversationRequest
    | pb.SendMessageRequest,
    context: Context,
) -> str:
    return request.request_id or metadata_value(context, IDEMPOTENCY_KEY)
