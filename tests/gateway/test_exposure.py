"""A gateway that other machines reach does not start without an authenticator, unless `auth.anonymous` says so."""

from __future__ import annotations

import socket
from typing import Any

import httpx2
import pytest

from diptych import Credentials, Gateway, Principal, Settings
from diptych.addresses import is_loopback
from diptych.auth import AuthError, hash_key, new_key
from tests.conftest import Serve

LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST", "unix:/run/diptych.sock"]
REACHED = ["0.0.0.0", "::", "", "10.0.0.1", "192.0.2.1", "fd00::1", "gateway.internal", "localhost.example"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", REACHED)
def test_addresses_that_other_machines_reach(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"http_host": "0.0.0.0"}, "http_host is '0.0.0.0'"),
        ({"grpc_host": "0.0.0.0"}, "grpc_host is '0.0.0.0'"),
        ({"http_host": "::", "single_port": True}, "http_host is '::'"),
    ],
)
async def test_a_gateway_without_an_authenticator_does_not_start(settings: dict[str, Any], setting: str) -> None:
    with pytest.raises(AuthError, match=setting) as told:
        await Gateway(Settings(http_port=0, grpc_port=0, **settings)).start()
    assert "set auth.api_keys, auth.jwt or auth.certificates, or auth.anonymous = true" in str(told.value)


class Anyone:
    async def authenticate(self, credentials: Credentials) -> Principal | None:
        return Principal(id="anyone", kind="test")


ALLOWED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"auth": {"anonymous": True}}, {}),
    ({"auth": {"api_keys": {"ci": {"hash": hash_key(new_key("ci"))}}}}, {}),
    ({}, {"authenticators": [Anyone()]}),
]


@pytest.mark.parametrize(("settings", "given"), ALLOWED, ids=["anonymous", "keys", "in code"])
async def test_it_starts_with_an_authenticator_or_if_anyone_may_call(
    settings: dict[str, Any], given: dict[str, Any], serve: Serve
) -> None:
    async with serve(http_host="0.0.0.0", grpc_host="0.0.0.0", gateway=given, **settings) as served:
        assert (await served.http.get("/healthz")).status_code == 200


async def test_an_unused_grpc_address_does_not_matter(serve: Serve) -> None:
    async with serve(grpc_host="0.0.0.0", single_port=True) as served:
        assert (await served.http.get("/healthz")).status_code == 200


async def test_an_application_without_a_listener_needs_no_authenticator() -> None:
    transport = httpx2.ASGITransport(Gateway(Settings(http_host="0.0.0.0")).app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("setting", ["http", "grpc", "telemetry.metrics"])
async def test_a_port_in_use_is_named_with_its_setting(setting: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        given: dict[str, Any] = {"http_port": 0, "grpc_port": 0, "telemetry": {}}
        (given["telemetry"] if "." in setting else given)[f"{setting.rpartition('.')[2]}_port"] = port
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}, set by {setting}_host and {setting}_port: .* in use"):
            await Gateway(Settings(**given)).start()
