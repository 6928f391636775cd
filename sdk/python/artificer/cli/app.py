"""The commands, and what a failure of any of them prints."""

from __future__ import annotations

import logging
import os
import sys

import typer
from typer.exceptions import TyperException

from .errors import Failed, fault
from .options import connection
from .root import RootGroup
from .text import one_line

app = typer.Typer(
    name="artificer",
    cls=RootGroup,
    help="Call the services of a gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(connection("Call the services of a gateway."))


def run() -> int:
    """Runs the command and returns its exit code; reports an error in one line."""
    _open_standard_streams()
    logging.getLogger("grpc").addHandler(logging.NullHandler())  # it logs tracebacks of errors that are reported below
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except TyperException as error:
        return _fail(error.format_message(), error.exit_code)
    except Failed as error:
        return _fail(error.message, error.exit_code)
    except BrokenPipeError:
        return _ignore_broken_pipe()
    except (ValueError, RecursionError) as error:  # a value that no request can have
        return _fail(fault(error), 2)
    except OSError as error:
        # A file that is missing or cannot be written.
        told = error.strerror or str(error)
        return _fail(f"{error.filename}: {told}" if error.filename else told, 2)
    return code if isinstance(code, int) else 0


def _open_standard_streams() -> None:
    """Makes a standard stream that the caller closed an empty one: Python has None in its place."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115, for the whole program
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115


def _fail(message: str, code: int) -> int:
    typer.echo(f"artificer: {one_line(message)}", err=True)
    return code


def _ignore_broken_pipe() -> int:
    """Discard the remaining output, as after `| head`: the interpreter would fail to flush it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
