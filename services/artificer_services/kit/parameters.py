"""Kinds of parameters of task types: functions that read the text of one.

Pure. Knows no task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Kind = Callable[[str], object]
"""Reads the text of a parameter. Raises ValueError with what was expected."""


def truth(text: str) -> bool:
    """Reads true or false."""
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"must be true or false, not {text[:64]!r}") from None


def one_of(choices: Collection[str]) -> Callable[[str], str]:
    """Returns a kind that accepts one of several words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {text[:64]!r}")
        return text

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """Returns a kind that accepts a number from `low` to `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}, not {text[:64]!r}")
        return value

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """Returns a kind that accepts a whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {text[:64]!r}")
        return value

    return read
