"""Loads the application `module:factory`, and reports what its code raised in one line.

It reads no settings.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any

from ..gateway import Gateway
from ..settings import Settings
from ..settings.services import ServiceTables
from .errors import CONFIGURATION
from .load import LoadError

# Frames in these folders are not the application's: an error raised there is shown at the line that called it.
_OTHERS = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
_OWN = f"{Path(__file__).parents[1]}/"


def gateway_of(target: str, settings: Settings) -> Gateway:
    """Returns the gateway that `module:factory` makes from the settings.

    Raises `LoadError`, and `SettingError` for a table of `services` that the application does not read.
    """
    factory = _imported(target)
    if isinstance(factory, Gateway):
        raise LoadError(f"{target} is a Gateway; name a function that takes the settings and returns one")
    if not callable(factory):
        raise LoadError(f"{target} is not callable; name a function that takes the settings and returns a Gateway")
    try:
        gateway = factory(settings) if inspect.signature(factory).parameters else factory()
    except CONFIGURATION:
        raise
    except Exception as error:
        raise LoadError(f"{target} failed: {_located(error)}") from error
    if not isinstance(gateway, Gateway):
        raise LoadError(f"{target} returned {type(gateway).__name__}; expected a Gateway")
    if isinstance(settings.services, ServiceTables):
        settings.services.check_read()
    return gateway


def _imported(target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise LoadError(f"invalid application {target!r}; expected module:factory")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: the application may be in the current folder
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise LoadError(f"cannot import {module_name!r}: {_located(error)}") from error
    for part in attribute.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise LoadError(f"module {module_name!r} has no attribute {attribute!r}")
    return found


def _located(error: Exception) -> str:
    """Returns `file:line: type: message`, with the innermost line of the application's own code."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen ", _OWN, *_OTHERS))
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {text}" if frames else text
