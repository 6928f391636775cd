"""Writes `artificer/_sync` from `artificer/_async`: the same code without `async` and `await`.

`platform.py` is written by hand in both, as are the transports of gRPC, whose two interfaces differ.
"""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

from .plugin import formatted

PACKAGE = Path(__file__).parents[2] / "sdk" / "python" / "artificer"
_BY_HAND = {"platform.py", "grpc.py"}
_NAMES = {
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "_async": "_sync",
    "aclose": "close",
    "aiter": "iter",
    "aiter_bytes": "iter_bytes",
    "aiter_lines": "iter_lines",
    "anext": "next",
    "aread": "read",
}


def main() -> None:
    """Writes every file that is not written by hand, and removes those whose source is gone."""
    source, target = PACKAGE / "_async", PACKAGE / "_sync"
    written = set()
    for path in sorted(source.rglob("*.py")):
        place = path.relative_to(source)
        written.add(place)
        if place.name not in _BY_HAND:
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            text = formatted(threaded(path.read_text(encoding="utf-8")))
            if not (target / place).exists() or (target / place).read_text(encoding="utf-8") != text:
                (target / place).write_text(text, encoding="utf-8")
    for path in target.rglob("*.py"):
        if path.relative_to(target) not in written:
            path.unlink()


def threaded(text: str) -> str:
    """Returns code without `async` and `await`."""
    tokens = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        word = token.string
        if token.type == tokenize.NAME and word in {"async", "await"}:
            word = ""
        elif token.type == tokenize.NAME:
            word = _name(word)
        elif token.type == tokenize.STRING:
            word = re.sub(r"\b[A-Za-z_]+\b", lambda found: _name(found.group()), word)
        tokens.append((token, word))
    return _unions(_joined(tokens, text))


def _name(word: str) -> str:
    if word in _NAMES:
        return _NAMES[word]
    return word.removeprefix("Async") if re.match(r"Async[A-Z]", word) else word


def _joined(tokens: list[tuple[tokenize.TokenInfo, str]], text: str) -> str:
    """Puts the words where their tokens were; the space after a removed word goes with it."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    out, position = [], 0
    for token, word in tokens:
        begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        out.append(text[position:begin])
        position = end
        if word == "" and token.string in {"async", "await"}:
            position += len(text[end:]) - len(text[end:].lstrip(" "))
        out.append(word if token.type not in {tokenize.INDENT, tokenize.DEDENT} else text[begin:end])
    return "".join(out) + text[position:]


def _unions(text: str) -> str:
    text = _without(text, "Awaitable")
    text = re.sub(r"from collections\.abc import (.+)", _imports, text)
    return _once(text, "Iterable").replace("The asynchronous client", "The client")


def _once(text: str, generic: str) -> str:
    """Replaces `generic[X] | generic[X]` by one of them."""
    position = 0
    while (start := text.find(f"{generic}[", position)) >= 0:
        position = _end(text, start + len(generic) + 1)
        rest = text[position:]
        union = re.match(rf"\s*\|\s*(?={generic}\[)", rest)
        if union:
            end = _end(rest, union.end() + len(generic) + 1)
            if "".join(rest[union.end() : end].split()) == "".join(text[start:position].split()):
                text = text[:position] + rest[end:]
    return text


def _end(text: str, position: int) -> int:
    """Returns where the bracket ends that is open at a position."""
    depth = 1
    while depth:
        depth += {"[": 1, "]": -1}.get(text[position], 0)
        position += 1
    return position


def _imports(found: re.Match[str]) -> str:
    names = sorted(dict.fromkeys(name.strip() for name in found.group(1).split(",")) - {"Awaitable": 0}.keys())
    return f"from collections.abc import {', '.join(names)}" if names else ""


def _without(text: str, generic: str) -> str:
    """Replaces `generic[X]` by X."""
    while (start := text.find(f"{generic}[")) >= 0:
        end = _end(text, start + len(generic) + 1)
        text = text[:start] + text[start + len(generic) + 1 : end - 1] + text[end:]
    return text


if __name__ == "__main__":
    main()
