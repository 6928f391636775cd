"""The errors of models, named by whose fault they are. Their messages name no upstream's address and no key."""

from __future__ import annotations

from ...kit.errors import Fault, Invalid, Kind, ServiceError


class UnknownModel(Invalid):
    """The request names a model that is not configured, or one of the wrong kind."""

    def __init__(self, name: str, known: tuple[str, ...], field: str = "model") -> None:
        text = f"unknown model {name[:64]!r}; expected one of: {', '.join(known)}" if known else "there are no models"
        super().__init__(Fault(field, text))


class PromptTooLong(Invalid):
    """The prompt, with the tokens asked for, does not fit into the model's context, or exceeds the server's limit."""

    def __init__(self, text: str, field: str = "messages") -> None:
        super().__init__(Fault(field, text))


class Refused(Invalid):
    """The model cannot do what the request asks for: tools, a schema, an option."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(Fault(field, text))


class Busy(ServiceError):
    """As many requests as allowed are running and waiting for the model."""

    kind = Kind.RESOURCE_EXHAUSTED
    reason = "MODEL_BUSY"

    def __init__(self, message: str, retry_seconds: float = 2.0) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class TokensExhausted(ServiceError):
    """The caller has used up its tokens of this minute."""

    kind = Kind.RESOURCE_EXHAUSTED
    reason = "TOKENS_EXHAUSTED"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class UpstreamExhausted(ServiceError):
    """The model's own server asks for fewer requests (429)."""

    kind = Kind.RESOURCE_EXHAUSTED
    reason = "UPSTREAM_EXHAUSTED"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class Unavailable(ServiceError):
    """The model cannot be reached, or its process died before it answered."""

    kind = Kind.UNAVAILABLE
    retry_seconds = 2.0


class TimedOut(ServiceError):
    """The model did not answer in time."""

    kind = Kind.DEADLINE_EXCEEDED


class Broken(ServiceError):
    """The answer broke off, or is not what the protocol says: the model's server or process is at fault."""

    kind = Kind.INTERNAL
    reason = "MODEL_BROKEN"


class NotInstalled(ServiceError):
    """The server lacks a library or a file of the model; the message says which, and how to install it."""

    kind = Kind.UNIMPLEMENTED
