"""test.trial gets its orders from job, item and phase; invalid orders are found before it runs."""

from __future__ import annotations

import pytest

from artificer_services.batch.tasks.api import PhaseView
from artificer_services.batch.tasks.trial import trial


@pytest.mark.parametrize(
    ("parameters", "fields"),
    [
        ({}, []),
        ({"do": "fail", "times": "2", "ocr.seconds": "0.5"}, []),
        ({"do": "dance"}, ["parameters.do"]),
        ({"seconds": "soon", "x": "1"}, ["parameters.seconds", "parameters.x"]),
    ],
)
def test_invalid_orders_are_found(parameters: dict[str, str], fields: list[str]) -> None:
    found = trial({}).check(PhaseView(name="a", task_type="test.trial", parameters=parameters))
    assert [field for field, _ in found] == fields
