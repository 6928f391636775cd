"""The errors of conversations, named by whose fault they are."""

from __future__ import annotations

from ...kit.errors import Kind, NotFound, ServiceError


class NoProject(NotFound):
    """There is no such project."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"there is no project {id_[:64]!r}")


class NoConversation(NotFound):
    """There is no such conversation."""

    def __init__(self, id_: str) -> None:
        super().__init__(f"there is no conversation {id_[:64]!r}")


class NoMessage(NotFound):
    """The conversation has no such message."""

    def __init__(self, conversation: str, id_: str) -> None:
        super().__init__(f"conversation {conversation!r} has no message {id_[:64]!r}")


class Outdated(ServiceError):
    """The resource has changed since the caller read it."""

    kind = Kind.ABORTED
    reason = "ETAG_MISMATCH"

    def __init__(self, what: str, etag: str) -> None:
        super().__init__(f"{what} has changed; read it again, then repeat the update with its etag {etag!r}", etag=etag)


class NotEmpty(ServiceError):
    """The project has conversations."""

    kind = Kind.FAILED_PRECONDITION
    reason = "PROJECT_NOT_EMPTY"

    def __init__(self, id_: str, count: int) -> None:
        super().__init__(f"project {id_!r} has {count} conversations; set force to delete them too", count=str(count))


class Answering(ServiceError):
    """The model answers in this conversation already."""

    kind = Kind.FAILED_PRECONDITION
    reason = "ANSWER_RUNNING"

    def __init__(self, conversation: str) -> None:
        super().__init__(f"conversation {conversation!r} has a running answer; wait for its end, or stop it first")


class NothingToAnswer(ServiceError):
    """The conversation has no message of the user to answer."""

    kind = Kind.FAILED_PRECONDITION
    reason = "NOTHING_TO_ANSWER"

    def __init__(self, conversation: str) -> None:
        super().__init__(f"conversation {conversation!r} has no message of the user to answer; send one")


class Full(ServiceError):
    """The conversation has as many messages as the server allows."""

    kind = Kind.FAILED_PRECONDITION
    reason = "CONVERSATION_FULL"

    def __init__(self, conversation: str, most: int) -> None:
        text = (
            f"conversation {conversation!r} has {most} messages, which is the most; begin another, or fork it earlier"
        )
        super().__init__(text)


class Lost(ServiceError):
    """Another process took the answer over, since this one could not reach the database for too long."""

    kind = Kind.ABORTED
    reason = "ANSWER_LOST"

    def __init__(self) -> None:
        super().__init__("the answer was given up: it was deleted, or the server could not store it for too long")


class BrokenOff(ServiceError):
    """The answer broke off for a reason that is the server's fault."""

    kind = Kind.INTERNAL

    def __init__(self) -> None:
        super().__init__("the answer broke off; the server's log says why")


class TooManyWaiting(ServiceError):
    """The stream has too many messages that wait for earlier answers."""

    kind = Kind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_WAITING"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} messages of this stream wait for their answers already, which is the most")
