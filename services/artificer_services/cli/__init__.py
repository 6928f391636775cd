"""The `artificer` command: a gRPC client of the services' public API that runs on any machine.

Knows nothing of how a service works. A failure prints one line to standard error and sets the exit code: 1 for failed
work, 2 for a usage error, 3 for an unreachable server.
"""

from __future__ import annotations

import logging
import os
import sys

# gRPC's C core reads this when it is imported. It would log a failed handshake in several lines of its own.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import typer
from typer.exceptions import TyperException

from .batch import app as batch
from .errors import Failed
from .options import connection
from .text import one_line

app = typer.Typer(
    name="artificer",
    help="Call the services of a gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(batch, name="batch")


app.callback()(connection("Call the services of a gateway."))


def main() -> None:
    """Run the command and report an error in one line."""
    logging.getLogger("grpc").addHandler(logging.NullHandler())  # it logs tracebacks of errors that are reported below
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except TyperException as error:
        code = _fail(error.format_message(), error.exit_code)
    except Failed as error:
        code = _fail(error.message, error.exit_code)
    except BrokenPipeError:
        code = _ignore_broken_pipe()
    except OSError as error:
        code = _fail(str(error), 2)  # a file that is missing or cannot be written
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    typer.echo(f"artificer: {one_line(message)}", err=True)
    return code


def _ignore_broken_pipe() -> int:
    """Discard the remaining output, as after `| head`: the interpreter would fail to flush it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
