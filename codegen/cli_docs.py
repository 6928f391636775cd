"""Writes docs/cli.md, the page of the `diptych` command, from the command's own arguments and options.

With `--check` it writes nothing and fails if the page is stale.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from diptych.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"

_HEAD = """\
# The `diptych` command

Each command except `auth` and `health` takes the application as its first argument: `module:factory`, a function that
takes the settings and returns the gateway. A command that fails prints one line on standard error and exits non-zero;
`--debug` prints the traceback too. [settings.md](settings.md) lists the settings for `--config` and `--set`.

`python -m codegen.cli_docs` writes this page from the command itself.
"""


def page() -> str:
    """Returns the page as Markdown."""
    return "\n".join([_HEAD, *_shown("diptych", typer.main.get_command(app))])


def _shown(name: str, command: Any) -> Iterator[str]:
    below = getattr(command, "commands", None)
    parameters = [one for one in command.params if not one.hidden] if below is None else []
    if below is None:
        arguments = [_metavar(one) for one in parameters if one.param_type_name == "argument"]
        yield f"## {name}\n"
        yield f"`{' '.join([name, *arguments, '[OPTIONS]'])}`\n"
        yield inspect.cleandoc(command.help or "") + "\n"
        yield from _table(parameters)
        return
    for inner in below.values():
        yield from _shown(f"{name} {inner.name}", inner)


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _table(parameters: list[Any]) -> Iterator[str]:
    if not parameters:
        return
    yield "| argument or option | meaning |\n|---|---|"
    for one in parameters:
        flags = ", ".join(f"`{flag}`" for flag in one.opts) if one.param_type_name == "option" else f"`{_metavar(one)}`"
        yield f"| {flags} | {' '.join((one.help or '').split())} |"
    yield ""


def main(arguments: list[str]) -> int:
    """Writes the page, or with `--check` reports whether it is stale."""
    new = page()
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if "--check" in arguments:
        if new != old:
            print("docs/cli.md is stale: run make generate and commit")
        return int(new != old)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
