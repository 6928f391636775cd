"""The top of the command: each command is imported when it is run, and none to list them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .generic.group import GROUP_HELPS, group
from .generic.tree import command_name, resources

# The commands that are written by hand, with their helps. The groups have generated ones too.
BY_HAND = {
    "ocr": "Read the text of PDF documents and images, or make them searchable.",
    "convert": "Convert a document: docx, odt, epub, HTML, Markdown and others, into one another.",
    "image": "Change an image: rotate, straighten, resize, clean and convert it, in this order.",
    "batch": GROUP_HELPS["batch"],
    "orchestration": GROUP_HELPS["orchestration"],
}


class RootGroup(TyperGroup):
    """The commands by hand, and a group for each resource of the client."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of the commands."""
        return list(dict.fromkeys([*BY_HAND, *sorted(map(command_name, resources(())))]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns a command by its name, or None."""
        if self._listing and cmd_name in BY_HAND:
            return TyperCommand(cmd_name, help=BY_HAND[cmd_name])
        if cmd_name in BY_HAND:
            return _by_hand(cmd_name)
        return group((cmd_name.replace("-", "_"),)) if cmd_name in self.list_commands(ctx) else None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, for which no command is imported."""
        self._listing = True
        super().format_help(ctx, formatter)


def _by_hand(name: str) -> Any:
    module = import_module(f".{name}", __package__)
    if name in GROUP_HELPS:
        made = typer.main.get_command(module.app)
    else:
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(name)(getattr(module, name))
        made = typer.main.get_command(app)
    made.name = name
    return made
