"""The methods of this repository's contracts, found by the generated modules of `artificer`."""

from __future__ import annotations

import importlib
from pathlib import Path

from google.protobuf.descriptor import MethodDescriptor

import artificer

_FOLDER = Path(next(iter(artificer.__path__)))


def contracts() -> list[str]:
    """Returns the modules of the messages of every contract, after importing them."""
    files = sorted(_FOLDER.rglob("v*/*_pb2.py"))
    names = [".".join(("artificer", *file.relative_to(_FOLDER).with_suffix("").parts)) for file in files]
    for name in names:
        importlib.import_module(name)
    return names


def methods() -> dict[str, MethodDescriptor]:
    """Returns the methods of every contract by `package.Service/Method`."""
    files = [importlib.import_module(name).DESCRIPTOR for name in contracts()]
    found = [method for file in files for service in file.services_by_name.values() for method in service.methods]
    return {f"{method.containing_service.full_name}/{method.name}": method for method in found}
