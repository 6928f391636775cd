"""The public surface of the Python SDK as text, a line for each name: what a user's program can depend on.

`python -m codegen.sdk.surface` writes it to tests/sdk/surface/python.txt; a test compares it with the code.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

SNAPSHOT = Path(__file__).parents[2] / "tests" / "sdk" / "surface" / "python.txt"
_HEAD = "# The public names of the Python SDK. `make surface` writes this file; CHANGELOG.md names what is removed.\n"


def lines() -> list[str]:
    """Returns the names with their signatures, sorted."""
    import artificer
    from artificer import types

    found = set(_module(artificer, "artificer"))
    for name in ("artificer.errors", "artificer.steps", "artificer.grpc"):
        found |= set(_module(importlib.import_module(name), name))
    for module in pkgutil.iter_modules(types.__path__):
        if module.name.startswith("_"):
            continue
        name = f"artificer.types.{module.name}"
        found |= set(_module(importlib.import_module(name), name))
    return sorted(found)


def names(text: str) -> set[str]:
    """Returns the names of a surface."""
    return {line.split("(")[0].split(":")[0].split(" = ")[0] for line in text.splitlines() if line[:1] not in {"", "#"}}


def _module(module: ModuleType, prefix: str) -> Iterator[str]:
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            yield from _class(value, f"{prefix}.{name}")
        elif inspect.isfunction(value):
            yield f"{prefix}.{name}{_signature(value)}"
        elif not isinstance(value, ModuleType):
            yield f"{prefix}.{name} = {value.__origin__ if hasattr(value, '__metadata__') else value}"


def _class(kind: type, name: str) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in kind.__bases__ if base is not object)
    yield f"{name}({bases})"
    if issubclass(kind, enum.Enum):
        yield from (f"{name}.{member} = {value.value!r}" for member, value in kind.__members__.items())
        return
    fields = getattr(kind, "model_fields", None)
    if fields is not None:
        inherited = {one for base in kind.__bases__ for one in getattr(base, "model_fields", {})}
        yield from (f"{name}.{one}: {kind.__annotations__[one]}" for one in fields if one not in inherited)
    else:
        constructor = vars(kind).get("__init__")
        if inspect.isfunction(constructor):
            yield f"{name}.__init__{_signature(constructor)}"
    yield from _members(kind, name, fields is None)


def _members(kind: type, name: str, annotations: bool) -> Iterator[str]:
    """Yields public methods, properties and resources; those of bases that are not public by themselves too."""
    for own in kind.__mro__:
        if own is not kind and not own.__module__.startswith("artificer._"):
            continue
        for member, value in vars(own).items():
            if member.startswith("_") or getattr(kind, member, None) is not getattr(own, member, None):
                continue
            if isinstance(value, cached_property):
                made = inspect.get_annotations(value.func)["return"]
                yield f"{name}.{member}: {made}"
                holder: Any = object.__new__(kind)
                holder._calls = None
                yield from _class(type(getattr(holder, member)), f"{name}.{member}")
            elif isinstance(value, property) and value.fget is not None:
                yield f"{name}.{member}: {inspect.get_annotations(value.fget)['return']}"
            elif inspect.isfunction(value):
                yield f"{name}.{member}{_signature(value)}"
        if annotations and own is kind:
            public = (one for one in inspect.get_annotations(own).items() if not one[0].startswith("_"))
            yield from (f"{name}.{member}: {typed}" for member, typed in public)


class _Plain(str):
    """An annotation that inspect prints without quotation marks."""

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Any) -> str:
    found = inspect.signature(function)
    parameters = [_written(one) for one in found.parameters.values() if one.name != "self"]
    return str(found.replace(parameters=parameters, return_annotation=_Plain(found.return_annotation)))


def _written(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    literal = default is parameter.empty or isinstance(default, str | int | float | tuple | None)
    return parameter.replace(annotation=_Plain(parameter.annotation), default=default if literal else _Plain("..."))


def main() -> None:
    SNAPSHOT.parent.mkdir(parents=True, exist_ok=True)
    SNAPSHOT.write_text(_HEAD + "".join(f"{line}\n" for line in lines()), encoding="utf-8")


if __name__ == "__main__":
    main()
