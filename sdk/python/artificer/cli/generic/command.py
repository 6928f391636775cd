"""The command of a method: it reads the values, calls the method and prints what it returns."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from inspect import Parameter
from pathlib import Path as FilePath
from typing import Annotated, Any, get_origin

import typer

from ..._sync.pages import Pager
from ..options import linked
from ..session import Session
from .docs import command_help
from .output import OutputForm, Printer
from .parameters import CALL_OPTIONS, parameters, signature
from .tree import Path, command_name, methods

_PANEL = "Call"


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=_PANEL, show_default=False, **more)


_ONCE = "Repeating a creation with the same key does its work once; refused where the server knows no keys."
_COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("output", Annotated[OutputForm, _option("--output", "Print text for people, or JSON as REST returns it.")],
     OutputForm.TEXT),
    ("out", Annotated[FilePath | None, _option("--out", "Write to this file instead of standard output.",
                                               metavar="FILE")], None),
    ("timeout", Annotated[float | None, _option("--timeout", "Seconds until the call fails.", min=0.001, max=1e9,
                                                metavar="SECONDS")], None),
    ("idempotency_key", Annotated[str | None, _option("--idempotency-key", _ONCE, metavar="KEY")],
     None),
)  # fmt: skip
_LIMIT = Annotated[int | None, _option("--limit", "The most elements to print; all by default.", min=1)]


def command(path: Path, name: str) -> Any:
    """Returns the command of a resource's method."""
    method = methods(path)[name]
    return_type = signature(method).return_annotation
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    runs = linked(_runner(path, name, method, is_list=(get_origin(return_type) or return_type) is Pager))
    app.command(command_name(name), help=command_help(method))(runs)
    made = typer.main.get_command(app)
    made.name = command_name(name)
    return made


def _runner(path: Path, name: str, method: Callable[..., Any], *, is_list: bool) -> Callable[..., None]:
    given = parameters(path, method)
    own = inspect.signature(method).parameters
    takes = (
        CALL_OPTIONS if any(one.kind is Parameter.VAR_KEYWORD for one in own.values()) else CALL_OPTIONS & own.keys()
    )

    def run(session: Session, **values: Any) -> None:
        printer = Printer(values["output"], values["out"], values.get("limit"))
        arguments = {one.name: one.value(values) for one in given}
        arguments = {one: value for one, value in arguments.items() if value is not None}
        options = {one: values[one] for one in takes if values[one] is not None}
        if "progress" in own and sys.stderr.isatty():
            options["progress"] = True  # a bar, as a call of a program has if it asks for one
        with session.failures():
            found: Any = session.client
            for part in path:
                found = getattr(found, part)
            printer.show(getattr(found, name)(**arguments, **options))

    common = [
        Parameter(one, Parameter.KEYWORD_ONLY, annotation=kind, default=value)
        for one, kind, value in _COMMON
        if one in takes or one not in CALL_OPTIONS
    ]
    if is_list:
        common.append(Parameter("limit", Parameter.KEYWORD_ONLY, annotation=_LIMIT, default=None))
    made: Any = run
    session = Parameter("session", Parameter.POSITIONAL_OR_KEYWORD, annotation=Session)
    made.__signature__ = inspect.Signature([session, *(one.shown for one in given), *common])
    return made  # type: ignore[no-any-return]
