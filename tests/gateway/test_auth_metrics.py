"""/metrics with authentication: guarded on the HTTP port, open on a separate port."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from diptych.auth import hash_key, new_key
from tests.conftest import Serve
from tests.waiting import PATIENCE

KEY = new_key("prometheus")
AUTH: dict[str, Any] = {"api_keys": {"prometheus": {"hash": hash_key(KEY)}}}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {new_key('prometheus')}"}, 401),
        ({"authorization": f"Bearer {KEY}"}, 200),  # as Prometheus sends it
        ({"x-api-key": KEY}, 200),
    ],
    ids=["nobody", "wrong", "bearer", "key"],
)
async def test_metrics_need_the_same_credentials_as_calls(serve: Serve, headers: dict[str, str], status: int) -> None:
    async with serve(auth=AUTH) as served:
        answer = await served.http.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("process_start_time_seconds" in answer.text) is (status == 200)
    assert ("www-authenticate" in answer.headers) is (status == 401)


@pytest.mark.parametrize("auth", [{**AUTH, "metrics_public": True}, {}], ids=["public", "no keys"])
async def test_it_is_public_by_a_setting_and_without_authentication(serve: Serve, auth: dict[str, Any]) -> None:
    async with serve(auth=auth) as served:
        assert (await served.http.get("/metrics")).status_code == 200


async def test_a_separate_metrics_port_needs_no_credentials(serve: Serve) -> None:
    async with (
        serve(auth=AUTH, telemetry={"metrics_port": 0}) as served,
        httpx2.AsyncClient(timeout=PATIENCE) as client,
    ):
        assert (await served.http.get("/metrics", headers={"x-api-key": KEY})).status_code == 404
        answer = await client.get(f"http://127.0.0.1:{served.gateway.metrics_port}/metrics")
        assert answer.status_code == 200
