"""A page of the documentation as blocks of code, with the comments that say how to test each block.

It parses Markdown's fences and two HTML comments that the site does not show; it runs nothing.

`<!-- page: KIND -->` says what the page's blocks start with: `greeter`, a copy of examples/greeter and a server of it;
`services`, a server of this repository's services; `clean`, an environment that a test of the page's own makes.
`<!-- test: HOW -->` before a block says how it runs; without it the block must succeed:
`background`, a server, left running; `endless`, ended after its first line; `fails`, its failure is the point;
`output`, what the block before prints; `none, REASON`, only parsed.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "gateway" / "README.md",
    ROOT / "services" / "README.md",
)
HOWS = ("", "background", "endless", "fails", "none", "output")
KINDS = ("", "clean", "greeter", "services")

_FENCE = re.compile(
    r"(?:<!-- test: (?P<how>[a-z]+)(?:, (?P<reason>[^>]+?))? -->\s*\n\s*)?"
    r"^(?P<indent> *)```(?P<language>\S*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_PAGE = re.compile(r"<!-- page: (\w+) -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fence; `title` names the file that it becomes, `how` is the word of its comment."""

    line: int
    language: str
    title: str
    how: str
    reason: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page's kind and its blocks in order."""

    path: Path
    kind: str
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        """The page's path in the repository."""
        return self.path.relative_to(ROOT).as_posix()


def read(path: Path) -> Page:
    """Returns the page at `path`."""
    text = path.read_text(encoding="utf-8")
    kind = _PAGE.search(text)
    return Page(
        path=path, kind=kind[1] if kind else "", blocks=tuple(_block(text, one) for one in _FENCE.finditer(text))
    )


def _block(text: str, found: re.Match[str]) -> Block:
    return Block(
        line=text.count("\n", 0, found.start("code")),
        language=found["language"],
        title=found["title"] or "",
        how=found["how"] or "",
        reason=found["reason"] or "",
        code=textwrap.dedent(found["code"]),
    )
