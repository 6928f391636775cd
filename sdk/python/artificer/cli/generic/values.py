"""How a parameter's values are written on a command line, by its type in the SDK's signature."""

from __future__ import annotations

import collections.abc as abc
import enum
import json
import os
import sys
import types as python_types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, cast, get_args, get_origin

from .. import files
from ..errors import Usage, fault

Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Form:
    """How values are given: the type for typer, the metavar, and what is made of what typer reads."""

    kind: Any
    metavar: str | None = None
    read: Read = lambda value: value
    many: bool = False
    hint: str = ""


def form_of(annotation: Any, name: str, *, streamed: bool = False) -> Form | None:
    """Returns the form of a parameter, or None for one that a command line cannot have, such as a callback.

    `streamed` says that an iterable of requests is read from a file while it is sent.
    """
    if _is_file(annotation):
        return Form(str, "FILE", _file, hint="- means standard input.")
    choices = [one for one in _members(annotation) if one is not type(None)]
    if any((get_origin(one) or one) is abc.Callable for one in choices):
        return None
    choice = _choice(choices)
    if choice is not None:
        return Form(choice, None, lambda value: value.value)
    if len(choices) > 1:
        choices = [one for one in choices if one is not str] or [str]
    first = choices[0]
    origin = get_origin(first) or first
    if first in (str, int, float, bool):
        return Form(first, "TEXT" if first is str else None)
    if first is bytes:
        return Form(str, "FILE", _bytes, hint="- means standard input.")
    if origin is abc.Iterable and streamed and not _is_file(get_args(first)[0]):
        return Form(str, "REQUESTS", _requests, hint="A file of requests, a JSON object a line; - is standard input.")
    if origin is abc.Mapping and get_args(first)[1:] == (str,):
        return Form(list[str], "KEY=VALUE", _mapping, many=True, hint="May be repeated; or a JSON object.")
    if origin in (abc.Iterable, abc.Sequence, list, tuple):
        return _sequence(get_args(first)[0] if get_args(first) else Any, name)
    if isinstance(first, type) and issubclass(first, os.PathLike):
        return Form(str, "PATH")
    if getattr(first, "__module__", "") == "datetime":
        return Form(str, first.__name__.upper())
    return Form(str, "JSON", _json, hint="JSON; @FILE reads a file.")


def _sequence(element: Any, name: str) -> Form:
    if str in _members(element) and Any in _members(element):  # texts, or objects with more than the text
        hint = "Text, or a JSON object. May be repeated."
        return Form(list[str], "TEXT", _texts, many=True, hint=hint)
    inner = form_of(element, name)
    if inner is None or inner.metavar == "JSON":
        text = name == "messages"  # of a chat: plain text is what the user says
        read = _said if text else _objects
        hint = (
            "Text, or a message in JSON; @FILE reads a file." if text else "JSON, may be repeated; @FILE reads a file."
        )
        return Form(list[str], "MESSAGE" if text else "JSON", read, many=True, hint=hint)
    return Form(list[inner.kind], inner.metavar, lambda values: [inner.read(one) for one in values], many=True)  # type: ignore[name-defined]


def _members(annotation: Any) -> Sequence[Any]:
    return get_args(annotation) if get_origin(annotation) in (Union, python_types.UnionType) else (annotation,)


def _is_file(annotation: Any) -> bool:
    """Whether a parameter is a FileInput: a path, bytes, or what can be read."""
    members = _members(annotation)
    return bytes in members and str in members


def _choice(members: Sequence[Any]) -> type[enum.Enum] | None:
    from ...types.base import OpenEnum

    for one in members:
        if get_origin(one) is Literal:
            return _enum("Choice", {str(value): str(value) for value in get_args(one)})
        if isinstance(one, type) and issubclass(one, OpenEnum):
            names = [name.lower() for name in one.__members__ if name != "UNSPECIFIED"]
            return _enum(one.__name__, {name: name for name in names})
    return None


def _enum(name: str, members: Mapping[str, str]) -> type[enum.Enum]:
    return cast("type[enum.Enum]", enum.StrEnum(name, members))


def _text(given: str) -> str:
    """Returns what is given, or the text of the file in `@FILE`."""
    if not given.startswith("@"):
        return given
    if given == "@-":
        return sys.stdin.read()
    with open(given[1:], encoding="utf-8") as file:
        return file.read()


def _json(given: str) -> Any:
    try:
        return json.loads(_text(given))
    except (ValueError, RecursionError) as error:
        raise Usage(f"'{_short(given)}' is not JSON: {fault(error)}") from None


def _objects(given: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for one in map(_json, given):
        found.extend(one if isinstance(one, list) else [one])
    return found


def _texts(given: Sequence[str]) -> list[Any]:
    return [_json(one) if one.startswith("{") else one for one in given]


def _said(given: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for one in given:
        if one.lstrip().startswith(("{", "[", "@")):
            found.extend(_objects([one]))
        else:
            found.append({"role": "user", "content": one})
    return found


def _mapping(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        if one.startswith(("{", "@")):
            value = _json(one)
            if not isinstance(value, dict):
                raise Usage(f"'{_short(one)}' is not a JSON object")
            found |= value
        else:
            key, equals, value = one.partition("=")
            if not equals or not key:
                raise Usage(f"'{_short(one)}': expected KEY=VALUE")
            found[key] = value
    return found


def _file(given: str) -> Any:
    """Returns a FileInput. Raises OSError for a file that cannot be read."""
    if given == "-":
        return files.pieces_of(given)
    files.check_readable(given)
    return given


def _bytes(given: str) -> bytes:
    return b"".join(files.pieces_of(given))


def _requests(given: str) -> Iterator[Mapping[str, Any] | str]:
    """Yields the objects in the lines of a file, as they are read: a terminal sends one at each line break."""
    if given != "-":
        files.check_readable(given)

    def lines() -> Iterator[Mapping[str, Any] | str]:
        with open(0 if given == "-" else given, encoding="utf-8", closefd=given != "-") as file:
            for number, line in enumerate(iter(file.readline, ""), 1):
                if line.strip():
                    yield _request(line, number)

    return lines()


def _request(line: str, number: int) -> Mapping[str, Any] | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Usage(f"line {number} of the requests is not JSON: {fault(error)}") from None
    if not isinstance(found, dict | str):
        raise Usage(f"line {number} of the requests is not a JSON object")
    return found  # a string is the input of an item


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
