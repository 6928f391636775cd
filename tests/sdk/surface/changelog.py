"""What the snapshot of an API has lost since the main branch, and where CHANGELOG.md must say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from codegen.breaking import earlier, git

ROOT = Path(__file__).parents[3]


def removed(snapshot: Path, names: Callable[[str], set[str]]) -> list[str]:
    """Returns the names that the snapshot had in the earlier commit, and has no longer. `names` reads its text."""
    base = earlier()
    before = git("show", f"{base}:{snapshot.relative_to(ROOT)}") if base else None
    return sorted(names(before or "") - names(snapshot.read_text(encoding="utf-8")))


def news() -> str:
    """Returns the newest section of CHANGELOG.md."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]
