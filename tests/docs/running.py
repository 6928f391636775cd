"""Runs the blocks of a page in order, word for word except for ports. It knows no page by name."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import yaml

from diptych import Settings
from tests.docs.blocks import Block, Page
from tests.docs.terminal import Address, Failed, Terminal

WRITTEN = Address("127.0.0.1:8080", "127.0.0.1:50051")
"""The addresses in the pages: the defaults."""

Script = Callable[[str, Address], None] | None
"""Runs a block of JavaScript in a browser, on a page of the server at that address."""


class Run:
    """One page in one terminal; `address` is the page's server until a block starts another."""

    def __init__(self, terminal: Terminal, address: Address, script: Script) -> None:
        self._terminal = terminal
        self._address = WRITTEN
        self._script = script
        self._printed = ""
        self._listen(address)

    def page(self, page: Page) -> None:
        """Runs every block. Raises `Failed` with the page's name and line."""
        for block in page.blocks:
            try:
                self.block(block)
            except (Failed, ValueError, SyntaxError) as error:
                raise Failed(f"{page.name}:{block.line}: {error}") from error

    def block(self, block: Block) -> None:
        """Runs one block by its comment, its title and its language."""
        if block.how == "output":
            _same(self._as_written(self._printed), block)
        elif block.how == "none":
            _parse(block, self._terminal)
        elif block.title:
            _parse(block, self._terminal)
            self._terminal.write(block.title, self._with_ports(block.code))
        elif block.language in ("sh", "python"):
            self._execute(block)
        elif block.language == "js" and self._script:
            self._script(block.code, self._address)
        else:
            _parse(block, self._terminal)

    def _execute(self, block: Block) -> None:
        code = self._with_ports(block.code)
        if block.language == "python":
            code = f"python - <<'END-OF-BLOCK'\n{code}\nEND-OF-BLOCK\n"
        if block.how == "background":
            self._listen(self._terminal.serve(code))
        elif block.how == "endless":
            self._printed = self._terminal.first_line(code)
        else:
            self._printed = self._terminal.run(code, fails=block.how == "fails")

    def _listen(self, address: Address) -> None:
        self._address = address
        self._terminal.run(f"export HOST=http://{address.http}")

    def _with_ports(self, text: str) -> str:
        return text.replace(WRITTEN.http, self._address.http).replace(WRITTEN.grpc, self._address.grpc)

    def _as_written(self, text: str) -> str:
        return text.replace(self._address.http, WRITTEN.http).replace(self._address.grpc, WRITTEN.grpc)


def _same(printed: str, block: Block) -> None:
    same = _json(printed) == _json(block.code) if block.language == "json" else printed.split() == block.code.split()
    if not same:
        raise Failed(f"the page shows:\n{block.code}\nand the block before printed:\n{printed}")


def _json(text: str) -> list[object]:
    """Returns the JSON values in a text, which follow one another."""
    decoder, values, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].strip()
    return values


def _parse(block: Block, terminal: Terminal) -> None:
    """Raises if the block is not valid in its language, or is a settings file that a gateway refuses."""
    if block.language == "python":
        compile(block.code, block.title or "block", "exec", dont_inherit=True)
    elif block.language == "sh":
        terminal.run(f"bash -n <<'END-OF-BLOCK'\n{block.code}\nEND-OF-BLOCK\n")
    elif block.language == "toml":
        table = tomllib.loads(block.code)
        if block.how != "none" and Path(block.title or "diptych.toml").name == "diptych.toml":
            Settings.model_validate(table)
    elif block.language == "json":
        _json(block.code)
    elif block.language == "yaml":
        list(yaml.safe_load_all(block.code))
    elif block.language == "proto":
        if not block.title and block.how != "none":
            raise Failed('a proto needs title="…", or <!-- test: none, REASON -->')
    elif block.language not in ("dockerfile", "go", "js", "nginx", "text", "ts"):
        raise Failed(f"no test knows the language {block.language!r}")
