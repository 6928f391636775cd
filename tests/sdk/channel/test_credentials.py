"""Keys, tokens, certificates, and what is never sent in plain text."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest

from artificer.grpc import AsyncChannel, Channel, ChannelOptions, Credentials, connection_problem
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.certificates import Authority, settings
from tests.conftest import Serve, Served

from .servers import both_ways, calling

FOREIGN = "gateway.example:443"
SECRET = "a-secret-that-nobody-may-see"


@both_ways
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"api_key": SECRET}, ("x-api-key", SECRET)),
        ({"token": SECRET}, ("authorization", f"Bearer {SECRET}")),
        ({"token": lambda: SECRET}, ("authorization", f"Bearer {SECRET}")),
    ],
    ids=("key", "token", "function"),
)
async def test_credentials_are_metadata_of_every_call(served: Served, way: str, given: Any, expected: Any) -> None:
    async with calling(way, served.gateway.grpc_port, credentials=Credentials(**given)) as caller:
        seen = (await caller.call("Inspect", pb.InspectRequest())).metadata
        assert expected in seen.items()
        assert len({"x-api-key", "authorization"} & {*seen}) == 1
        own = (await caller.call("Inspect", pb.InspectRequest(), metadata=(("authorization", "Bearer mine"),))).metadata
        assert own["authorization"] == "Bearer mine"
        assert "x-api-key" not in own


@both_ways
async def test_a_function_returns_the_current_token_for_each_call(served: Served, way: str) -> None:
    numbers = count()
    credentials = Credentials(token=lambda: f"token-{next(numbers)}")
    async with calling(way, served.gateway.grpc_port, credentials=credentials) as caller:
        seen = [(await caller.call("Inspect", pb.InspectRequest())).metadata["authorization"] for _ in range(2)]
    assert seen == ["Bearer token-0", "Bearer token-1"]


@both_ways
async def test_a_function_that_returns_no_token(served: Served, way: str) -> None:
    """The call fails without the value in its message, and its connection is free again."""
    credentials = Credentials(token=lambda: f"{SECRET}\n")
    async with calling(way, served.gateway.grpc_port, credentials=credentials) as caller:
        with pytest.raises(ValueError, match="`token` contains") as caught:
            await caller.call("Inspect", pb.InspectRequest())
        assert SECRET not in str(caught.value)
        assert caller.channel._pool._connections[0].calls == 0


@pytest.mark.parametrize("target", [FOREIGN, f"http://{FOREIGN}", f"dns:///{FOREIGN}", "ipv4:127.0.0.1:1,10.0.0.1:1"])
@pytest.mark.parametrize("given", [{"api_key": SECRET}, {"token": SECRET}, {"token": lambda: SECRET}])
@pytest.mark.parametrize("kind", [Channel, AsyncChannel])
def test_secrets_are_not_sent_in_plain_text(kind: Any, target: str, given: Any) -> None:
    with pytest.raises(ValueError, match="in plain text; use https://") as caught:
        kind(target, ChannelOptions(credentials=Credentials(**given)))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "given"),
    [
        (FOREIGN, {"allow_insecure": True}),
        (FOREIGN, {"tls": True}),
        (f"https://{FOREIGN}", {}),
        (f"grpcs://{FOREIGN}/", {}),
        ("localhost:1", {}),
        ("http://[::1]:1", {}),
        ("dns:///localhost:1", {}),
        ("ipv6:[::1]:1", {}),
        ("ipv4:127.0.0.1:1,127.0.0.2:1", {}),
        ("unix:/nowhere", {}),
    ],
)
def test_where_secrets_may_be_sent(target: str, given: Any) -> None:
    Channel(target, ChannelOptions(credentials=Credentials(api_key=SECRET, **given))).close()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("https://", "invalid address"),
        ("https://host/path", "invalid address"),
        ("host with spaces:1", "invalid address"),
        (f"https://{SECRET}@host", "must not contain credentials"),
        (f"{SECRET}@host:1", "must not contain credentials"),
    ],
)
def test_malformed_addresses(target: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Channel(target)
    assert SECRET not in str(caught.value)


def test_unusable_credentials(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for given, message in (
        ({"api_key": SECRET, "token": SECRET}, "exclude each other"),
        ({"api_key": f"{SECRET}\n"}, "`api_key` contains spaces"),
        ({"token": f"{SECRET}é"}, "`token` contains spaces"),
        ({"key": text}, "`key` requires `cert`"),
        ({"channel_credentials": grpc.ssl_channel_credentials(), "ca": text}, "excludes `ca`"),
        ({"ca": text}, "contains no PEM certificate"),
        ({"cert": text}, "are not a PEM pair"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            Channel("127.0.0.1:1", ChannelOptions(credentials=Credentials(**given)))
        assert SECRET not in str(caught.value)
    with pytest.raises(ValueError, match="excludes TLS"):
        Channel("http://127.0.0.1:1", ChannelOptions(credentials=Credentials(tls=True)))
    with pytest.raises(FileNotFoundError):
        Channel("127.0.0.1:1", ChannelOptions(credentials=Credentials(ca=tmp_path / "missing")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0},
        {"max_connections": 0},
        {"streams_per_connection": 0},
        {"health_service": "", "load_balancing": "pick_first"},
        {"interceptors": [object()]},
    ],
)
def test_unusable_options(wrong: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Channel("127.0.0.1:1", ChannelOptions(**wrong))


def test_a_repr_has_no_secret() -> None:
    for credentials in (Credentials(api_key=SECRET), Credentials(token=SECRET)):
        assert SECRET not in repr(ChannelOptions(credentials=credentials))


def test_the_environment_completes_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTIFICER_TARGET", "127.0.0.1:7")
    monkeypatch.setenv("ARTIFICER_API_KEY", SECRET)
    with Channel() as channel:
        assert channel.target == "127.0.0.1:7"
        assert channel.options.credentials.api_key == SECRET
    with Channel("127.0.0.1:8", ChannelOptions(credentials=Credentials(token="other"))) as channel:
        assert channel.target == "127.0.0.1:8"
        assert (channel.options.credentials.api_key, channel.options.credentials.token) == ("", "other")
    with pytest.raises(ValueError, match="in plain text"):
        Channel(FOREIGN)
    monkeypatch.setenv("ARTIFICER_TOKEN", "other")
    with pytest.raises(ValueError, match="ARTIFICER_API_KEY and ARTIFICER_TOKEN exclude each other"):
        Channel()


def test_the_defaults_without_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TARGET", "API_KEY", "TOKEN"):
        monkeypatch.delenv(f"ARTIFICER_{name}", raising=False)
    with Channel() as channel:
        assert channel.target == "127.0.0.1:50051"
        assert channel.options == ChannelOptions()


@both_ways
async def test_tls_with_an_own_authority(serve: Serve, way: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serve(**settings(authority.shown())) as served:
        place = f"https://localhost:{served.gateway.grpc_port}"
        async with calling(way, place, credentials=Credentials(ca=authority.file, api_key=SECRET)) as caller:
            seen = (await caller.call("Inspect", pb.InspectRequest())).metadata
            assert seen["x-api-key"] == SECRET
        named = Credentials(ca=authority.file, server_name="localhost")
        async with calling(way, served.gateway.grpc_port, credentials=named) as caller:
            assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"


@both_ways
async def test_a_client_certificate(serve: Serve, way: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.client("cook")
    together = tmp_path / "together.pem"
    together.write_bytes(client.key + client.chain)
    needed = {"tls_client_ca": authority.file, "tls_client_auth": "required"}
    async with serve(**settings(authority.shown(), **needed)) as served:
        place = f"localhost:{served.gateway.grpc_port}"
        files: tuple[Any, ...] = (
            {"cert": client.certificate_file, "key": client.key_file},
            {"cert": str(together)},
        )
        for given in files:
            async with calling(way, place, credentials=Credentials(ca=authority.file, **given)) as caller:
                assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
        assert "`cert`" in await problem(way, f"https://{place}", Credentials(ca=authority.file))


@both_ways
async def test_what_a_failed_handshake_means(serve: Serve, way: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serve(**settings(authority.shown())) as served, serve() as plain:
        place = f"https://localhost:{served.gateway.grpc_port}"
        assert "no trusted authority" in await problem(way, place, Credentials())
        wrong = Credentials(ca=authority.file, server_name="other.example")
        assert "another host" in await problem(way, place, wrong)
        here = f"https://localhost:{plain.gateway.grpc_port}"
        assert "does not use TLS" in await problem(way, here, Credentials(ca=authority.file))
    assert connection_problem("Connection refused") is None
    assert connection_problem(None) is None


async def problem(way: str, target: str, credentials: Credentials) -> str:
    """Returns what the failure of a call means."""
    async with calling(way, target, credentials=credentials, retry=None) as caller:
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("GetDish", pb.GetDishRequest())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        return connection_problem(caught.value.details()) or f"unknown: {caught.value.details()}"
