"""The channel and user of a stream of requests, which later requests inherit.

Owns what is inherited, and refuses a change of channel.
"""

from __future__ import annotations

from artificer.chat.v1 import message_service_pb2 as pb

from ..kit.errors import Fault, Invalid
from .engine import Chat
from .store import Draft, User
from .translate import files_in, user_in


class StreamDefaults:
    """The channel and the user of one stream."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self.channel = ""
        self._user: User | None = None

    def draft(self, request: pb.SendMessagesRequest | pb.ChatStreamRequest) -> Draft:
        """Returns the draft of a request. Raises Invalid."""
        self.note(request)
        return self._chat.draft(self.channel, self._user, request.content, files_in(request), request.request_id)

    def note(self, request: pb.SendMessagesRequest | pb.ChatStreamRequest) -> None:
        """Remember a request's channel and user. Raises Invalid if the channel is not the stream's."""
        if request.channel:
            if self.channel and request.channel != self.channel:
                raise Invalid(
                    Fault("channel", f"must be '{self.channel}', as in the first message of the stream, or empty")
                )
            self.channel = request.channel
        if request.HasField("user"):
            self._user = user_in(request.user)
