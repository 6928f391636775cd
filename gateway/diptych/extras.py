"""Optional dependencies: what needs one and lacks it fails at start, with the name of the extra to install.

It knows no setting; who needs an extra names its own.
"""

from __future__ import annotations

import importlib


class MissingExtra(Exception):
    """A library that a setting needs and that is not installed; says what to install."""


def need(what: str, library: str, extra: str, *modules: str) -> None:
    """Raises `MissingExtra` where one of `modules` cannot be imported; `what` is mostly a setting."""
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(f'{what} needs {library}: pip install "diptych[{extra}]"') from error
