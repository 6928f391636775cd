"""The protos' comments at run time: descriptors in generated code have none.

`protoc-gen-diptych` writes them next to each generated module (`x_pb2.comments.json`); without that file there are no
comments, and nothing fails. This module knows no OpenAPI.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from types import ModuleType

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, ServiceDescriptor

# A period, question or exclamation mark that ends a sentence, or an empty line that ends a paragraph.
_END = re.compile(r"[.?!](?=\s+[A-Z`(]|\s*$)|\n\s*\n")

_LONGEST = 60  # characters of a title; more do not fit on a line of /docs beside the path


class Comments:
    """Comments by element; each file is read once."""

    def __init__(self) -> None:
        self._files: dict[str, dict[str, str]] = {}

    def of(self, element: Descriptor | EnumDescriptor | FieldDescriptor | ServiceDescriptor) -> str:
        """Returns the element's comment, or ""."""
        file: FileDescriptor = element.file  # type: ignore[union-attr]  # types-protobuf lacks FieldDescriptor.file
        return self.named(file, element.full_name)

    def named(self, file: FileDescriptor, name: str) -> str:
        """Returns the comment of the element with that full name; an enum value's name includes its enum's."""
        return self.within(file).get(name, "")

    def within(self, file: FileDescriptor) -> Mapping[str, str]:
        """Returns all comments of a file, by full name."""
        found = self._files.get(file.name)
        if found is None:
            found = self._files[file.name] = _read(file)
        return found


def summary(comment: str) -> str:
    """Returns the first sentence on one line, without its period."""
    ended = _END.search(comment)
    first = comment[: ended.end()] if ended else comment
    return " ".join(first.split()).removesuffix(".")


def headline(comment: str, name: str) -> str:
    """Returns the first sentence as a title of at most 60 characters, without the method's `name` in front.

    A longer sentence ends before a comma, colon or semicolon, or else between two words.
    """
    line = summary(comment).removeprefix(f"{name} ")
    line = line[:1].upper() + line[1:]
    if len(line) <= _LONGEST:
        return line
    ends = [found.start() for found in re.finditer(r"[,;:] ", line[: _LONGEST + 2])]
    return line[: ends[-1]] if ends else line[:_LONGEST].rpartition(" ")[0] + "…"


def description(comment: str, title: str) -> str:
    """Returns the comment if it says more than its title, else ""."""
    whole = " ".join(comment.split()).removesuffix(".")
    return "" if whole.casefold().endswith(title.casefold()) else comment


def in_comment(text: str) -> str:
    r"""Returns a text that generators can put into a comment, which `*/` would end; in CommonMark `*\/` is the same."""
    return text.replace("*/", "*\\/")


def _read(file: FileDescriptor) -> dict[str, str]:
    for module in _modules(file):
        origin, loader = module.__file__, module.__loader__
        get_data = getattr(loader, "get_data", None)  # zipimport's loader has it too
        if not origin or get_data is None:
            continue
        beside = PurePath(origin).with_name(module.__name__.rpartition(".")[2] + ".comments.json")
        try:
            read = json.loads(get_data(str(beside)))
        except (OSError, ValueError):
            continue
        return (
            {name: in_comment(text) for name, text in read.items() if isinstance(text, str)}
            if isinstance(read, dict)
            else {}
        )
    return {}


def _modules(file: FileDescriptor) -> Iterator[ModuleType]:
    """Yields the module generated from the file, by protoc's naming, then loaded modules with its descriptor."""
    usual = sys.modules.get(file.name.removesuffix(".proto").replace("-", "_").replace("/", ".") + "_pb2")
    if usual is not None:
        yield usual
    for name, module in list(sys.modules.items()):
        if name.endswith("_pb2") and module is not usual:
            held = getattr(module, "DESCRIPTOR", None)
            if isinstance(held, FileDescriptor) and held.name == file.name:
                yield module
