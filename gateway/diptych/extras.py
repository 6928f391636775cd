"""Optional dependencies: a missing one stops the start with an error that names the extra to install.

It knows no setting; callers pass the name.
"""

from __future__ import annotations

import importlib


class MissingExtra(Exception):
    """A library that a setting needs is not installed; the message says what to install."""


def need(what: str, library: str, extra: str, *modules: str) -> None:
    """Raises `MissingExtra` if one of `modules` cannot be imported; `what` names the setting or command."""
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f'{what} needs {library}: pip install "diptych[{extra}]"') from error
