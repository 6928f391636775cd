"""What can go wrong for a command, each with the exit code that tells it.

Knows no service.
"""

from __future__ import annotations

import grpc


class Failed(Exception):
    """A command cannot be done. `message` is a line for people."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message  # whoever passes it on may have added what they know


class Usage(Failed):
    """What was asked makes no sense."""

    exit_code = 2


class Unreachable(Failed):
    """Nobody answers at the address."""

    exit_code = 3


class Refused(Failed):
    """The server refused; `code` says why."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message or code.name.lower().replace("_", " "))
        self.code = code
        self.exit_code = 2 if code in _ASKED_WRONGLY else 1


_ASKED_WRONGLY = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)
