"""Docstrings from the comments of the contracts, in the words of the SDK: its methods instead of RPCs and requests."""

from __future__ import annotations

import re
from collections.abc import Sequence

from . import comments, models
from .naming import Placed
from .signature import Parameter

_FIRST_MESSAGE = re.compile(r" It may be empty after the first message of the stream\.|; only the first .*? name it")
_MASK = re.compile(r"(the fields of [a-z ]+) that `update_mask` names")
_FILE = "The file: its path, its bytes, a file opened for reading bytes, or an iterable of bytes."


class Words:
    """What the SDK calls the methods that comments mention by their names in the contracts."""

    def __init__(self, every: Sequence[Placed]) -> None:
        self._places: dict[tuple[str, str], str] = {}
        for one in every:
            place = f"`client.{'.'.join(one.resource)}.{one.name}`"
            package = one.rpc.request.package
            self._places[package, one.rpc.proto.name] = place
            self._places[package, one.rpc.request.name.removeprefix(f"{package}.")] = place

    def translated(self, text: str, package: str) -> str:
        """Returns a comment with the SDK's names for methods and their requests."""

        def place(found: re.Match[str]) -> str:
            named = found.group(2) or package
            return self._places.get((named, found.group(1)), found.group())

        # Two capitals at least, since `Ask` and `Attach` are words of the language too.
        text = re.sub(r"\b([A-Z][a-z]+[A-Z]\w+)(?: of (artificer(?:\.\w+)+\b))?", place, text)
        return _MASK.sub(r"\1 that are given", text)

    def method(self, one: Placed, parameters: Sequence[Parameter], *, file: bool) -> str:
        """Returns the docstring of a method, with its parameters in the order of the signature."""
        package = one.rpc.request.package
        summary = self.translated(one.rpc.comment or f"{one.rpc.name}.", package)
        name, _, rest = summary.partition(" ")
        if rest and name in (one.rpc.proto.name, self._places[package, one.rpc.proto.name]):
            summary = rest[0].upper() + rest[1:]  # "CreateJob creates a job" becomes "Creates a job"
        described = [(each.name, self._parameter(each, package)) for each in parameters if each.comment]
        if file:
            path = sum(each.fills in one.path_fields for each in parameters if each.comment)
            described.insert(path, ("file", _FILE))
        text = models.docstring(summary, "        ")
        if not described:
            return text
        body = text.strip().removeprefix('"""').removesuffix('"""').rstrip()
        lines = [f'        """{body}', "", "        Args:", *(_entry(name, about) for name, about in described)]
        return "\n".join([*lines, '        """'])

    def _parameter(self, each: Parameter, package: str) -> str:
        text = comments.field(" ".join(each.comment.split()))
        return self.translated(_FIRST_MESSAGE.sub("", text), package)


def _entry(name: str, about: str) -> str:
    wrapped = models.docstring(f"{name}: {about}", " " * 12).strip().removeprefix('"""').removesuffix('"""')
    return " " * 12 + wrapped.rstrip().replace("\n" + " " * 12, "\n" + " " * 16)
