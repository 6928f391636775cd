"""The errors of a command, each with its exit code.

Knows no service.
"""

from __future__ import annotations

import grpc


class Failed(Exception):
    """A command failed. `message` is one line for the user."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message  # not `args`: handlers may have extended the message


class Usage(Failed):
    """The arguments are invalid."""

    exit_code = 2


class Unreachable(Failed):
    """No server answers at the address."""

    exit_code = 3


class Refused(Failed):
    """The server refused the call; `code` is its status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message or code.name.lower().replace("_", " "))
        self.code = code
        self.exit_code = 2 if code in _USAGE_CODES else 1


_USAGE_CODES = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)
