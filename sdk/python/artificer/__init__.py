"""Artificer's services from Python: `Artificer`, `AsyncArtificer`, their errors and models.

The contracts' generated messages and gRPC stubs are here too, a package for each version: `artificer.batch.v1`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors, steps, types
    from ._answer import Answer
    from ._async.answers import AsyncAnswerStream
    from ._async.client import AsyncArtificer
    from ._async.downloads import AsyncDownload
    from ._async.duplex import AsyncDuplex
    from ._async.pages import AsyncPager
    from ._async.resources.orchestration import AsyncPipeline
    from ._async.streams import AsyncStream
    from ._batch import BatchProgress, BatchRun
    from ._options import CallOptions, CallRecord
    from ._sync.answers import AnswerStream
    from ._sync.client import Artificer
    from ._sync.downloads import Download
    from ._sync.duplex import Duplex
    from ._sync.pages import Pager
    from ._sync.resources.orchestration import Pipeline
    from ._sync.streams import Stream
    from .errors import APIConnectionError, APIError, ArtificerError

__all__ = [
    "APIConnectionError",
    "APIError",
    "Answer",
    "AnswerStream",
    "Artificer",
    "ArtificerError",
    "AsyncAnswerStream",
    "AsyncArtificer",
    "AsyncDownload",
    "AsyncDuplex",
    "AsyncPager",
    "AsyncPipeline",
    "AsyncStream",
    "BatchProgress",
    "BatchRun",
    "CallOptions",
    "CallRecord",
    "Download",
    "Duplex",
    "Pager",
    "Pipeline",
    "Stream",
    "errors",
    "steps",
    "types",
]

_PLACES = {
    "answers": ("AnswerStream",),
    "client": ("Artificer",),
    "downloads": ("Download",),
    "duplex": ("Duplex",),
    "pages": ("Pager",),
    "resources.orchestration": ("Pipeline",),
    "streams": ("Stream",),
}
"""The modules of `_sync`, whose names are those of `_async` without `Async`."""
_MODULES = {
    "_answer": ("Answer",),
    "_batch": ("BatchProgress", "BatchRun"),
    "_options": ("CallOptions", "CallRecord"),
    "errors": ("APIConnectionError", "APIError", "ArtificerError"),
    **{f"_sync.{module}": names for module, names in _PLACES.items()},
    **{f"_async.{module}": tuple(f"Async{name}" for name in names) for module, names in _PLACES.items()},
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    # Imported when first used: a program that needs the contracts alone pays for nothing else.
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    if name in {"errors", "steps", "types"}:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
