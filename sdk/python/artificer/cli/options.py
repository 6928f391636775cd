"""The connection options that every command has: the gateway's address and the credentials.

They may stand before a subcommand too; the last one wins. A flag takes precedence over its environment variable. Knows
no command: `linked` gives each one its `Session`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer

from .connection import Connection, TransportKind
from .errors import Usage
from .session import Session

_PANEL = "Connection"


def _option(variable: str, text: str, **more: Any) -> Any:
    return typer.Option(envvar=variable, help=text, rich_help_panel=_PANEL, show_default=False, **more)


_File = Path | None
_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    ("server", Annotated[str, _option("ARTIFICER_SERVER", "The gateway: http(s)://host:port for REST; host:port,"
                                      " grpc:// or grpcs:// for gRPC. Default: 127.0.0.1:50051.", metavar="URL")],
     ""),
    ("transport", Annotated[TransportKind | None, _option("ARTIFICER_TRANSPORT", "Default: by the server's address.")],
     None),
    ("address", Annotated[str, _option("ARTIFICER_ADDRESS", "The gateway's gRPC address: host:port or https://host:port.",
                                       metavar="ADDRESS")], ""),
    ("token", Annotated[str, _option("ARTIFICER_TOKEN", "A bearer token. Other users can see flags, not variables.",
                                     metavar="TOKEN")], ""),
    ("api_key", Annotated[str, _option("ARTIFICER_API_KEY", "An API key.", metavar="KEY")], ""),
    ("tls", Annotated[bool, _option("ARTIFICER_TLS", "Use TLS for a host:port; implied by --ca and --cert.")], False),
    ("ca", Annotated[_File, _option("ARTIFICER_CA", "The PEM file of trusted authorities. Default: the public ones.",
                                    metavar="FILE")], None),
    ("cert", Annotated[_File, _option("ARTIFICER_CERT", "The PEM file of the client certificate.", metavar="FILE")],
     None),
    ("key", Annotated[_File, _option("ARTIFICER_KEY", "The PEM file of its key, if separate.", metavar="FILE")],
     None),
    ("allow_insecure", Annotated[bool, typer.Option("--allow-insecure", rich_help_panel=_PANEL,
                                                    help="Send credentials to other machines without TLS.")], False),
)  # fmt: skip


def linked(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the connection options to a command and pass it a Session as its first argument."""

    def run(context: typer.Context, **given: Any) -> Any:
        where = {name: given.pop(name) for name, *_ in _OPTIONS}
        where |= {name: value for name, value in _before(context).items() if not _is_flag(context, name)}
        session = Session(_connection(context, where))
        try:
            return command(session, **given)
        finally:
            session.close()

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    update_wrapper(run, command)
    return _with_options(run, *(one.replace(kind=Parameter.KEYWORD_ONLY) for one in own))


def connection(text: str) -> Callable[..., None]:
    """Returns the callback of a group of commands that takes the connection options for all of them."""

    def remember(context: typer.Context, **given: Any) -> None:
        flags = {name: value for name, value in given.items() if _is_flag(context, name)}
        context.obj = {**_before(context), **flags}

    remember.__doc__ = text
    return _with_options(remember)


def _before(context: typer.Context) -> dict[str, Any]:
    """Returns the options that stand before the subcommand."""
    return context.obj or {}


def _with_options(function: Callable[..., Any], *own: Parameter) -> Callable[..., Any]:
    """Give a function the signature from which the options are made."""
    named = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default) for name, kind, default in _OPTIONS
    ]
    first = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    made: Any = function
    made.__signature__ = inspect.Signature([first, *own, *named])
    return function


def _connection(context: typer.Context, given: dict[str, Any]) -> Connection:
    token, api_key = given.pop("token").strip(), given.pop("api_key").strip()
    token, api_key = _one_of(
        context,
        ("token", token),
        ("api_key", api_key),
        "a token and an API key exclude each other: use only one of them",
    )
    server, address = _one_of(
        context,
        ("server", given.pop("server")),
        ("address", given.pop("address")),
        "--server and --address exclude each other: use only --server",
    )
    return Connection.of(server, given.pop("transport"), address, token=token, api_key=api_key, **given)


def _one_of(context: typer.Context, first: tuple[str, str], second: tuple[str, str], both: str) -> tuple[str, str]:
    """Returns the values of two options that exclude each other: a flag wins over a variable. Raises Usage."""
    if not (first[1] and second[1]):
        return first[1], second[1]
    flags = [_is_flag(context, name) or name in _before(context) for name, _ in (first, second)]
    if not any(flags):
        names = " and ".join(f"ARTIFICER_{name.upper()}" for name, _ in (first, second))
        raise Usage(f"{names} are both set; unset one of them")
    if all(flags):
        raise Usage(both)
    return (first[1], "") if flags[0] else ("", second[1])


def _is_flag(context: typer.Context, name: str) -> bool:
    """Whether an option was given at this place, and not by a variable."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
