"""Groups of commands that are made when they are looked at: one module a resource is imported, and no other."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from ..options import connection
from . import tree


class ResourceGroup(TyperGroup):
    """The commands of a resource, beside those that were added by hand, which win."""

    path: ClassVar[tree.Path] = ()

    @cached_property
    def _names(self) -> dict[str, tuple[str, bool]]:
        """The Python name of each generated command, and whether it is a resource."""
        found = dict.fromkeys(tree.methods(self.path), False) | dict.fromkeys(tree.resources(self.path), True)
        return {tree.command_name(one): (one, is_group) for one, is_group in found.items()}

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of the commands."""
        return list(dict.fromkeys([*super().list_commands(ctx), *self._names]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns a command by its name, or None."""
        return super().get_command(ctx, cmd_name) or self.generated(cmd_name)

    def generated(self, name: str) -> Any:
        """Returns a generated command by its name, or None."""
        if name not in self._names:
            return None
        python_name, is_group = self._names[name]
        if is_group:
            return group((*self.path, python_name))
        from .command import command

        return command(self.path, python_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns the command that the arguments name.

        `batch results JOB` is written by hand and `batch results list JOB` is generated: the second word decides.
        """
        name, *rest = args
        if rest and super().get_command(ctx, name) is not None:
            found = self.generated(name)
            if isinstance(found, ResourceGroup) and rest[0] in found.list_commands(ctx):
                return name, found, rest
        return super().resolve_command(ctx, args)


def group(path: tree.Path) -> Any:
    """Returns the group of a resource."""
    made = typer.main.get_command(resource_app(path))
    made.name = tree.command_name(path[-1])
    return made


def resource_app(path: tree.Path) -> typer.Typer:
    """Returns the application of a resource, to which commands can be added."""
    kind = type("Group", (ResourceGroup,), {"path": path})
    text = (
        GROUP_HELPS.get(".".join(path))
        or f"{path[-1].replace('_', ' ').capitalize()} of {' '.join(path[:-1]) or 'a gateway'}."
    )
    app = typer.Typer(cls=kind, help=text, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(connection(text))
    return app


GROUP_HELPS = {
    "assets": "Index documents, images and texts.",
    "batch": "Run jobs over many items.",
    "channels": "Send and read messages of channels.",
    "chat": "Chat with a model.",
    "collections": "Collections of documents: add, search, ask.",
    "conversations": "Conversations with a model, which are stored.",
    "documents": "Read, render and convert documents.",
    "embeddings": "Make vectors of texts.",
    "images": "Change images and read their text.",
    "models": "The models of the gateway.",
    "orchestration": "Run files through a pipeline of steps.",
    "projects": "Projects, which hold conversations.",
}
