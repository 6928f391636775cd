"""The parameters of a method as arguments and options of a command.

What a method requires without a keyword is an argument; all else is an option by the same name.
"""

from __future__ import annotations

import builtins
import inspect
import typing
from collections import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any

import typer

from ... import types
from ..._files import FileInput
from .docs import argument_helps
from .tree import Path, command_name
from .values import Form, form_of

# Options of every command; a parameter of the same name has the resource's name before it.
TAKEN = frozenset(
    {"address", "allow_insecure", "api_key", "ca", "cert", "help", "idempotency_key", "key", "limit", "out", "output",
     "server", "timeout", "tls", "token", "transport"}
)  # fmt: skip
# What annotations name whose module imports it for type checkers only.
_KNOWN = {**vars(typing), **{name: getattr(abc, name) for name in abc.__all__}, "types": types, "FileInput": FileInput}


# Options of calls that some methods have as parameters of their own.
CALL_OPTIONS = frozenset({"idempotency_key", "timeout"})


@dataclass(frozen=True, slots=True)
class Given:
    """A parameter of a method, and the option or argument that gives its value."""

    name: str
    form: Form
    shown: Parameter

    def value(self, values: Mapping[str, Any]) -> Any:
        """Returns the value among what typer read, None if there is none. Raises Usage, OSError."""
        value = values[self.shown.name]
        return None if value is None or (self.form.many and not value) else self.form.read(value)


class _Names(dict[str, Any]):
    """The names in an annotation. An alias that is written as a string is evaluated; an unknown name is Any."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            return getattr(builtins, name)
        return _KNOWN.get(name, Any)

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        return eval(found, {}, self) if isinstance(found, str) else found  # noqa: S307, an alias of the SDK


def signature(method: Callable[..., Any]) -> inspect.Signature:
    """Returns a method's signature with its annotations evaluated."""
    return inspect.signature(method, locals=_Names(getattr(method, "__globals__", {})), eval_str=True)


def parameters(path: Path, method: Callable[..., Any]) -> list[Given]:
    """Returns the parameters of a method that a command line can have."""
    helps = argument_helps(method)
    _, *own = signature(method).parameters.values()
    own = [one for one in own if one.kind is not Parameter.VAR_KEYWORD and one.name not in CALL_OPTIONS]
    found = [_given(path, one, helps.get(one.name, "")) for one in own]
    return [one for one in found if one is not None]


def _given(path: Path, parameter: Parameter, text: str) -> Given | None:
    positional = parameter.kind is not Parameter.KEYWORD_ONLY
    form = form_of(parameter.annotation, parameter.name, streamed=positional)
    if form is None:
        return None
    # Requests come from standard input if no file is named.
    required = parameter.default is Parameter.empty and form.metavar != "REQUESTS"
    # `collections create docs`: the id of what is made is an argument too.
    names_made = parameter.name == f"{path[-1].removesuffix('s')}_id" and not form.many
    text = " ".join(filter(None, (text, form.hint)))
    if positional or names_made:
        metavar = (
            form.metavar if form.metavar in ("FILE", "REQUESTS", "MESSAGE") else command_name(parameter.name).upper()
        )
        metavar = f"{metavar}..." if form.many else metavar
        info = typer.Argument(metavar=metavar if required else f"[{metavar}]", help=text, show_default=False)
    else:
        flag = "--" + command_name(
            f"{path[-1].removesuffix('s')}_{parameter.name}" if parameter.name in TAKEN else parameter.name
        )
        flag = f"{flag}/--no-{flag[2:]}" if form.kind is bool else flag
        info = typer.Option(flag, metavar=form.metavar, help=text, show_default=False, **_ignoring_case(form))
    kind = form.kind if required else form.kind | None
    default: Any = Parameter.empty if required else "-" if form.metavar == "REQUESTS" else None
    shown = Parameter(
        f"given_{parameter.name}", Parameter.KEYWORD_ONLY, annotation=Annotated[kind, info], default=default
    )
    return Given(parameter.name, form, shown)


def _ignoring_case(form: Form) -> dict[str, Any]:
    return {} if form.kind in (str, int, float, bool) else {"case_sensitive": False}
