"""What the page of settings shows: sections of rows, and how a value is written."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass


class Undocumented(Exception):
    """A setting has no description; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting as the page shows it; `name` is dotted, as in `--set`."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The settings of one table."""

    heading: str
    text: str
    rows: tuple[Row, ...]


def shown_value(value: object) -> str:
    """Returns a default as the page shows it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`' if value else "empty"
    if isinstance(value, Mapping | tuple | list):
        return f"`[{', '.join(shown_value(one).strip('`') for one in value)}]`" if value else "empty"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


def docstring(node: ast.stmt | None) -> str:
    """Returns the text of a docstring; empty if the node is none."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""
