"""Names the fields of an error as a request does, where what it is handed to calls them otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from .errors import Invalid, ServiceError


@contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """Let the faults of errors that are raised within name these fields otherwise."""
    try:
        yield
    except ServiceError as error:
        faults = tuple(replace(fault, field=names.get(fault.field, fault.field)) for fault in error.faults)
        if faults == error.faults:
            raise
        if isinstance(error, Invalid):
            raise Invalid(*faults) from error
        error.faults = faults
        raise
