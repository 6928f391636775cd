"""The `artificer` command: a client of the services' public API, over gRPC, that any machine can run.

Knows nothing of how a service works. Every failure is one line on standard error and an exit code: 1 for work that
failed, 2 for what was asked wrongly, 3 for a server that cannot be reached.
"""

from __future__ import annotations

import logging
import os
import sys

import typer
from typer.exceptions import TyperException

from .batch import app as batch
from .errors import Failed
from .text import one_line

app = typer.Typer(
    name="artificer",
    help="Talk with the services of a gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(batch, name="batch")


@app.callback()
def _artificer() -> None:
    """Talk with the services of a gateway."""


def main() -> None:
    """Run the command; what goes wrong is told in one line."""
    logging.getLogger("grpc").addHandler(logging.NullHandler())  # it would write tracebacks of what is told below
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except TyperException as error:
        code = _fail(error.format_message(), error.exit_code)
    except Failed as error:
        code = _fail(error.message, error.exit_code)
    except BrokenPipeError:
        code = _reader_left()
    except OSError as error:
        code = _fail(str(error), 2)  # a file that is not there, or cannot be written
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    typer.echo(f"artificer: {one_line(message)}", err=True)
    return code


def _reader_left() -> int:
    """As `head` does: nobody wants the rest, and the interpreter must not try to flush it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
