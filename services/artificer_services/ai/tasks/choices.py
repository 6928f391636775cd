"""Checks what phases of several task types choose: a model and collections.

Imports no model.
"""

from __future__ import annotations

from collections.abc import Mapping


def model_faults(name: str, models: Mapping[str, object]) -> list[tuple[str, str]]:
    """Returns the fault of a phase whose model is not one of the configured ones; an empty name is the default's."""
    if not name or name in models:
        return []
    return [("model", f"unknown model {name[:64]!r}; expected one of: {', '.join(models)}")]


def collections_of(text: str) -> tuple[str, ...]:
    """Returns the ids of collections, which commas separate. Raises ValueError."""
    ids = tuple(part.strip() for part in text.split(","))
    if not all(ids) or len(set(ids)) < len(ids):
        raise ValueError(f"must list the ids of collections, each once, separated by commas, not {text[:64]!r}")
    return ids
