"""Errors of settings: dotted names and messages, without values, which may be secrets.

It does not know where a setting was written; `cli` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from .names import elsewhere


class Fault(NamedTuple):
    """One setting and what is wrong with it."""

    setting: str
    """The dotted name, as `--set` takes it."""
    text: str


class SettingError(ValueError):
    """Settings that cannot be used. Raised by `cli`, and by services for their own tables."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.setting}: {fault.text}" for fault in faults))
        self.faults = faults


def closest(name: str, known: Iterable[str]) -> str:
    """Returns the end of a message about an unknown name: the known one that it may have meant, or nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def expected(name: str, known: Iterable[str]) -> str:
    """Returns the same, but all known names if none is close."""
    names = sorted(known)
    return closest(name, names) or (f"; expected one of {', '.join(names)}" if names else "; there are none")


def unknown(setting: str, known: Iterable[str]) -> Fault:
    """Returns the fault of a setting that does not exist; `known` are the names that do, in the same table."""
    table, _, name = setting.rpartition(".")
    close = [".".join(filter(None, (table, one))) for one in get_close_matches(name, list(known), n=1)]
    meant = elsewhere(setting) or close
    text = "there is no such setting"
    return Fault(setting, f"{text}; did you mean {' or '.join(meant)}?" if meant else text)
