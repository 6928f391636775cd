"""Which methods may be called again without another effect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FileDescriptor

from .._safe_methods import SAFE_METHODS

__all__ = ["safe_methods"]


def safe_methods(*files: FileDescriptor) -> frozenset[str]:
    """Returns the safe methods of Artificer's contracts, and of `files`, as `package.Service/Method`.

    A method of `files` is safe if it is bound to GET (`google.api.http`), or if its option `idempotency_level` is
    NO_SIDE_EFFECTS or IDEMPOTENT: `safe_methods(shop_pb2.DESCRIPTOR)`.
    """
    return SAFE_METHODS.union(*map(_safe, files)) if files else SAFE_METHODS


def _safe(file: FileDescriptor) -> Iterable[str]:
    from google.api import annotations_pb2

    http: Any = annotations_pb2.http
    for service in file.services_by_name.values():
        for method in service.methods:
            options = method.GetOptions()
            if options.idempotency_level or options.Extensions[http].WhichOneof("pattern") == "get":
                yield f"{service.full_name}/{method.name}"
