"""The errors of a command, each with its exit code.

Knows no service.
"""

from __future__ import annotations


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
    """The server refused the call; `code` is the name of its gRPC status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message or code.lower().replace("_", " "))
        self.code = code
        self.exit_code = 2 if code in ("INVALID_ARGUMENT", "OUT_OF_RANGE") else 1


def fault(error: ValueError | RecursionError) -> str:
    """Returns what is wrong with a value that was refused, in one line: the first fault if a model found several."""
    from pydantic import ValidationError  # slow to import, and rarely needed

    match error:
        case ValidationError():
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            text = first["msg"].removeprefix("Value error, ")
            return f"{place}: {text}" if place else text
        case UnicodeEncodeError():
            return f"'{error.object}' is not UTF-8"
        case UnicodeDecodeError():
            return f"this is not UTF-8: {error.reason}"
        case RecursionError():
            return "too many values are nested in one another"
    return str(error)
