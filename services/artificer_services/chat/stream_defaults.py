"""What a stream of requests says once: its channel and its user hold until the end.

Owns what later messages inherit, and refuses a change of channel.
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
        """Return a request as a message that can be stored. Raises Invalid."""
        self.note(request)
        return self._chat.draft(self.channel, self._user, request.content, files_in(request), request.request_id)

    def note(self, request: pb.SendMessagesRequest | pb.ChatStreamRequest) -> None:
        """Keep a request's channel and user. Raises Invalid for a channel other than the stream's."""
        if request.channel:
            if self.channel and request.channel != self.channel:
                raise Invalid(Fault("channel", f"must be {self.channel}, as in the stream's first message, or empty"))
            self.channel = request.channel
        if request.HasField("user"):
            self._user = user_in(request.user)
