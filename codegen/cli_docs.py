"""Writes the pages of the commands: docs/cli.md of `diptych`, docs/sdk/commands.md of `artificer`.

With `--check` it writes nothing and fails if a page is stale.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from artificer.cli.app import app as artificer_app
from diptych.cli import app

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "cli.md"
CLIENT_PAGE = DOCS / "sdk" / "commands.md"

_HEAD = """\
# The `diptych` command

Each command except `auth` and `health` takes the application as its first argument: `module:factory`, a function that
takes the settings and returns the gateway. A command that fails prints one line on standard error and exits non-zero;
`--debug` prints the traceback too. [settings.md](settings.md) lists the settings for `--config` and `--set`.

`python -m codegen.cli_docs` writes this page from the command itself.
"""

_CLIENT_HEAD = """\
# Commands of `artificer`

[cli.md](cli.md) says what the commands have in common. `artificer COMMAND --help` shows the options of one.

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


def client_page() -> str:
    """Returns the page of the `artificer` command as Markdown: a table of the commands in each group."""
    top = typer.main.get_command(artificer_app)
    leaves = list(_leaves("artificer", top))
    groups = dict.fromkeys(name.split()[1] for name, _ in leaves)
    tables = []
    for one in groups:
        tables.append(f"## {one}\n\n| command | |\n|---|---|")
        tables += [f"| `{name}` | {text} |" for name, text in leaves if name.split()[1] == one]
        tables.append("")
    return "\n".join([_CLIENT_HEAD, *tables])


def _leaves(name: str, command: Any) -> Iterator[tuple[str, str]]:
    """Yields each command with its arguments, and the first paragraph of its help."""
    if not hasattr(command, "list_commands"):
        arguments = [_metavar(one) for one in command.params if one.param_type_name == "argument"]
        text = " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())
        yield " ".join([name, *arguments]), text.replace("|", "\\|")
        return
    context = command.make_context(name, ["x"], resilient_parsing=True)
    for inner in command.list_commands(context):
        yield from _leaves(f"{name} {inner}", command.get_command(context, inner))
        beside = command.generated(inner) if hasattr(command, "generated") else None
        if hasattr(beside, "list_commands") and not hasattr(command.get_command(context, inner), "list_commands"):
            # `batch results JOB` is written by hand, and `batch results list JOB` is generated.
            yield from _leaves(f"{name} {inner}", beside)


def main(arguments: list[str]) -> int:
    """Writes the pages, or with `--check` reports whether one is stale."""
    stale = False
    for path, new in ((PAGE, page()), (CLIENT_PAGE, client_page())):
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if "--check" not in arguments:
            path.write_text(new, encoding="utf-8")
        elif new != old:
            print(f"docs/{path.relative_to(DOCS)} is stale: run make generate and commit")
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
