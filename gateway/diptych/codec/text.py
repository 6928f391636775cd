"""Parses JSON text to plain values, with errors that name line and column; it knows no messages."""

from __future__ import annotations

import orjson

from ..status import Violation, invalid


def parse_json(body: bytes, path: str = "") -> object:
    """Parses a body to plain JSON values. Raises INVALID_ARGUMENT with line and column if it is not JSON.

    `path` is the field whose value the body is.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(Violation(path, _explain(body, error))) from None


def _explain(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        str(body, "utf-8")  # orjson's own message for invalid UTF-8 names no position
    except UnicodeDecodeError as wrong:
        return f"the body is not valid UTF-8: invalid byte at offset {wrong.start}"
    return f"the body is not valid JSON: {error.msg} at line {error.lineno} column {error.colno}"
