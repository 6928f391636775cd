"""Unexpected errors of batch workers reach Sentry, as those of calls do: a local server receives real envelopes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from artificer_services.app import create
from artificer_services.batch.build import BatchService
from artificer_services.batch.jobs.errors import ServiceError
from artificer_services.batch.worker.engines.local import LocalEngine
from artificer_services.kit.error_reports import ErrorReports, handed_over
from diptych import Settings
from tests.gateway.test_sentry import events, receiver
from tests.waiting import until

from .helpers import ItemState, item, results, settings_for, working

SECRET = "the-document-of-a-customer"


def reporting(dsn: str) -> Settings:
    return Settings.model_validate({"telemetry": {"sentry_dsn": dsn, "sentry_release": "shop@1"}})


async def test_an_unexpected_error_of_an_item_is_reported_with_its_ids(tmp_path: Path) -> None:
    with receiver() as (dsn, envelopes):
        settings = settings_for({"data_dir": str(tmp_path / "data")}, max_attempts=1, workers=1)
        async with working(settings, handed_over(reporting(dsn).telemetry)) as served:
            items = [item("fine"), item(SECRET, do="raise"), item("b", do="fail"), item("c", do="reject")]
            job = await served.run(items)
            found = results(served.store, job.id)
            (worker,) = [one.name for one in served.engine.workers]
            await until(lambda: events(envelopes))
    assert [one.state for one in found] == [ItemState.COMPLETED, *[ItemState.FAILED] * 3]
    [event] = events(envelopes)  # the others are the tasks' own
    fault = (found[1].error or "").split()[-1]
    assert event["tags"] == {
        "error_id": fault, "job": job.id, "item": "1", "phase": "one", "batch_worker": worker
    }  # fmt: skip
    assert (event["transaction"], event["release"]) == ("test.trial", "shop@1")
    assert event["exception"]["values"][-1]["type"] == "RuntimeError"
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert not any("vars" in frame for frame in frames)
    assert not {"request", "user", "breadcrumbs", "modules", "extra"} & event.keys()
    assert SECRET not in json.dumps(event)


async def test_the_gateways_settings_reach_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    init = LocalEngine.__init__

    def noted(self: LocalEngine, *arguments: object) -> None:
        made.append(arguments[-1])
        init(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalEngine, "__init__", noted)
    dsn = "http://key@127.0.0.1:9/1"
    settings = reporting(dsn).model_copy(update={"services": {"batch": {"data_dir": str(tmp_path)}}})
    await asyncio.to_thread(create, settings)
    assert made == [{"sentry_dsn": dsn, "sentry_environment": "production", "sentry_release": "shop@1"}]
    BatchService(settings_for({"data_dir": str(tmp_path)}))
    assert made[1] is None


def test_nothing_is_reported_without_a_dsn() -> None:
    assert handed_over(Settings().telemetry) is None
    reports = ErrorReports(None)
    reports.report(ServiceError("x"), "nothing", {})
    reports.close()
