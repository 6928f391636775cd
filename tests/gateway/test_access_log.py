"""The access log: what becomes of a call's record and line, without a server."""

from __future__ import annotations

import gc
import io
import json
import weakref
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from diptych.metadata import Metadata
from diptych.origin import Origin
from diptych.settings.telemetry import TelemetrySettings
from diptych.telemetry import Recorder
from diptych.telemetry.setup import Telemetry

METHOD = "/kitchen.v1.KitchenService/GetDish"
UNARY = SimpleNamespace(request_streaming=False, response_streaming=False)


def telemetry() -> Telemetry:
    found = Telemetry(TelemetrySettings(access_log=True))
    found.recorder.know({METHOD: UNARY})
    return found


def called(recorder: Recorder, metadata: Metadata = (), principal: Any = None) -> Origin:
    """Records one call."""
    origin = Origin("rest", "ipv4:192.0.2.7:4711")
    record = recorder.begin(METHOD, origin)
    record.on_metadata(metadata)
    record.code = 0
    if principal is not None:
        origin.notes["principal"] = SimpleNamespace(id=principal)
    origin.over()
    return origin


async def lines(telemetry: Telemetry, written: io.StringIO) -> list[dict[str, Any]]:
    await telemetry.stop()
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_a_call_leaves_nothing_to_the_garbage_collector(written: io.StringIO) -> None:
    logged = telemetry()
    gc.disable()
    try:
        gone = weakref.ref(called(logged.recorder))
        assert gone() is None
    finally:
        gc.enable()
    assert len(await lines(logged, written)) == 1


async def test_every_call_has_its_own_id(written: io.StringIO) -> None:
    logged = telemetry()
    for _ in range(1000):
        called(logged.recorder)
    called(logged.recorder, (("x-request-id", '"quoted"'), ("user-agent", "spoon\\")))
    *found, last = await lines(logged, written)
    ids = {line["request_id"] for line in found}
    assert len(ids) == 1000
    assert {len(one) for one in ids} == {16}
    assert all(set(one) <= set("0123456789abcdef") for one in ids)
    assert (last["request_id"], last["user_agent"]) == ('"quoted"', "spoon\\")


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("chef", "chef"),
        (UUID(int=7), str(UUID(int=7))),
        ("\ud800", "\ud800"),
        (frozenset({"chef"}), "frozenset({'chef'})"),
        (1 << 70, 1 << 70),
    ],
    ids=["text", "a UUID", "a lone surrogate", "another object", "a large number"],
)
async def test_an_unusual_principal_costs_no_other_line(written: io.StringIO, principal: Any, shown: Any) -> None:
    logged = telemetry()
    called(logged.recorder)
    called(logged.recorder, principal=principal)
    called(logged.recorder)
    found = await lines(logged, written)
    assert [line["principal"] for line in found] == [None, shown, None]
    assert [list(line)[:4] for line in found] == [["timestamp", "level", "logger", "event"]] * 3
