"""Help texts from docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Examples?|Attributes):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {4}(\w+):\s*(.*(?:\n {5,}.*|\n(?=\n* {5,}))*)", re.MULTILINE)


def command_help(function: Callable[..., Any]) -> str:
    """Returns the text of a docstring before its sections."""
    text = inspect.getdoc(function) or ""
    return _SECTION.split(text)[0].strip()


def argument_helps(function: Callable[..., Any]) -> dict[str, str]:
    """Returns what a docstring says of each argument, in one line each."""
    pieces = _SECTION.split(inspect.getdoc(function) or "")
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return {name: " ".join(text.split()) for name, text in _ARGUMENT.findall(sections.get("Args", ""))}
