"""Writes the pages of docs/sdk/reference for the Python SDK's resources and models.

A page has a heading for each resource; mkdocstrings puts the docstrings there when the site is built. So a page changes
only when a resource comes or goes; `make generate` writes it.
"""

from __future__ import annotations

import pkgutil
import typing
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from artificer import types
from artificer._sync.api.root import Root

FOLDER = Path(__file__).parents[1] / "docs" / "sdk" / "reference"

_RESOURCE = """\
::: {place}
    options:
      filters: [{filters}]
"""
_MODELS = """\
# types.{name}

::: artificer.types.{name}
    options:
      heading_level: 2
      inherited_members: false
      filters: ["!^_", "!^numbers$"]
"""
_STEPS = """\
# Steps of pipelines

::: artificer.steps
    options:
      heading_level: 2
      inherited_members: false
"""


def pages() -> dict[str, str]:
    """Returns the text of each page by its file's name."""
    client = Root(typing.cast("Any", None))
    resources = {f"{name}.md": "\n".join(_sections(f"client.{name}", getattr(client, name))) for name in _below(Root)}
    names = (module.name for module in pkgutil.iter_modules(types.__path__))
    models = [name for name in names if not name.startswith("_")]
    return resources | {"steps.md": _STEPS} | {f"types-{name}.md": _MODELS.format(name=name) for name in models}


def _sections(path: str, resource: Any, level: int = 1) -> Iterator[str]:
    kind = type(resource)
    # The resources below have headings of their own instead.
    hidden = ["!^_", *(f"!^{name}$" for name in _below(kind))]
    place, filters = f"{kind.__module__}.{kind.__qualname__}", ", ".join(f'"{one}"' for one in hidden)
    yield f"{'#' * level} {path}\n\n{_RESOURCE.format(place=place, filters=filters)}"
    for name in _below(kind):
        yield from _sections(f"{path}.{name}", getattr(resource, name), level=2)


def _below(kind: type) -> list[str]:
    """Returns the names of the resources below a class, those of its bases first."""
    members = [member for one in reversed(kind.__mro__) for member in vars(one).items()]
    return list(dict.fromkeys(name for name, value in members if isinstance(value, cached_property)))


def main() -> None:
    """Writes the pages, and deletes those of resources that are gone."""
    FOLDER.mkdir(exist_ok=True)
    wanted = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in {*wanted, "index.md"}:
            old.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
