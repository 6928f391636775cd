"""The options by which every command finds its gateway, and says who asks.

A flag goes before its variable. Knows no command: `linked` gives one its `Link`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer

from .access import Access
from .errors import Usage
from .link import Link

DEFAULT = "127.0.0.1:50051"
_PANEL = "Connection"


def _option(variable: str, text: str, **more: Any) -> Any:
    return typer.Option(envvar=variable, help=text, rich_help_panel=_PANEL, **more)


_File = Path | None
_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    ("address", Annotated[str, _option("ARTIFICER_ADDRESS", "The gateway's gRPC: host:port, or https://host:port.")],
     DEFAULT),
    ("token", Annotated[str, _option("ARTIFICER_TOKEN", "A token that says who asks; others see flags, not variables.",
                                     metavar="TOKEN", show_default=False)], ""),
    ("api_key", Annotated[str, _option("ARTIFICER_API_KEY", "An API key that says who asks.", metavar="KEY",
                                       show_default=False)], ""),
    ("tls", Annotated[bool, _option("ARTIFICER_TLS", "TLS to a host:port; --ca and --cert mean it too.",
                                    show_default=False)], False),
    ("ca", Annotated[_File, _option("ARTIFICER_CA", "The authorities that the gateway's certificate is checked by, PEM;"
                                    " by default the public ones.", metavar="FILE")], None),
    ("cert", Annotated[_File, _option("ARTIFICER_CERT", "The certificate that says who asks, PEM.", metavar="FILE")],
     None),
    ("key", Annotated[_File, _option("ARTIFICER_KEY", "Its key, where it is not in the same file.", metavar="FILE")],
     None),
)  # fmt: skip


def linked(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the options of a connection; its first parameter is the Link, which is closed when it ends."""

    def run(context: typer.Context, **given: Any) -> Any:
        where = {name: given.pop(name) for name, *_ in _OPTIONS}
        link = Link(where.pop("address"), _access(context, where))
        try:
            return command(link, **given)
        finally:
            link.close()

    update_wrapper(run, command)
    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    named = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default) for name, kind, default in _OPTIONS
    ]
    first = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    made: Any = run
    made.__signature__ = inspect.Signature([first, *(one.replace(kind=Parameter.KEYWORD_ONLY) for one in own), *named])
    return run


def _access(context: typer.Context, given: dict[str, Any]) -> Access:
    token, api_key = given.pop("token").strip(), given.pop("api_key").strip()
    if token and api_key:
        flags = [_is_flag(context, name) for name in ("token", "api_key")]
        if not any(flags):
            raise Usage("ARTIFICER_TOKEN and ARTIFICER_API_KEY are both set: unset one of them")
        if not all(flags):
            token, api_key = (token, "") if flags[0] else ("", api_key)
    return Access(token=token, api_key=api_key, **given)


def _is_flag(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
