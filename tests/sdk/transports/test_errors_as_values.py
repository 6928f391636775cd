"""Exceptions leave processes: they are pickled by pools of processes and task queues, and copied."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from artificer import errors

ERRORS: list[errors.ArtificerError] = [
    errors.InvalidRequestError([errors.FieldViolation("pages", "must not be empty")]),
    errors.APIConnectionError("the connection broke", sent=True, request_id="r1"),
    errors.NotFoundError("there is no such job", http_status=404, details=[{"@type": "x"}], metadata={"a-bin": b"1"}),
]


def by_pickle(protocol: int) -> Callable[[Any], Any]:
    """Returns what takes a value to another process by a protocol of pickle."""
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


COPIES = [copy.copy, copy.deepcopy, *(by_pickle(protocol) for protocol in range(6))]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("copied", COPIES)
def test_an_error_is_copied(error: errors.ArtificerError, copied: Callable[[Any], Any]) -> None:
    """With all that it says, and with its notes."""
    error.add_note("in a worker")
    other = copied(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)
