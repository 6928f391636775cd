"""Which failures of h2spec are known: `known.txt`, and how a run's failures compare with it.

The other suites may have none. Each line of the file is the name of a case and the reason why it fails; `*` in a name
stands for anything, and `~` before it means that the case fails only sometimes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

FILE = Path(__file__).with_name("known.txt")
SUITE = "h2spec/"


class Known(NamedTuple):
    """One line of the file."""

    pattern: str
    reason: str
    sometimes: bool


def read(text: str) -> list[Known]:
    """Parses the file's text. Raises ValueError for a line without a reason, or about another suite than h2spec."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.partition(" ")
        if not reason.strip():
            raise ValueError(f"{FILE.name}: {pattern} has no reason")
        if not pattern.removeprefix("~").startswith(SUITE):
            raise ValueError(f"{FILE.name}: {pattern} is no case of h2spec; cases of the other suites must pass")
        found.append(Known(pattern.removeprefix("~"), reason.strip(), pattern.startswith("~")))
    return found


def faults(known: Iterable[Known], suite: str, failed: Mapping[str, str]) -> list[str]:
    """Returns what is wrong with a run of `suite` in which these cases failed; it says of each why.

    A failure that is not known is a fault, and so is a line of the file that matches none.
    """
    own = [one for one in known if one.pattern.startswith(f"{suite}/")]
    wrong = [
        f"failed: {name}\n{indent(said.strip(), '    ')}"
        for name, said in sorted(failed.items())
        if not any(fnmatchcase(name, one.pattern) for one in own)
    ]
    for one in own:
        if not one.sometimes and not any(fnmatchcase(name, one.pattern) for name in failed):
            wrong.append(f"passes, so remove it from {FILE.name}: {one.pattern}")
    return wrong
