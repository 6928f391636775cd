"""Choosing an engine: settings refused at the start with a line that says what to do; and TLS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from diptych import Gateway, Settings
from diptych.extras import MissingExtra
from diptych.rpc_server import EngineError
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen

ANY: dict[str, Any] = {"http_port": 0, "grpc_port": 0}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs the certificates of the tests' servers."""
    return trustme.CA()


@pytest.fixture
def certified(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """The settings of a server that calls itself localhost."""
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return {**ANY, "tls_certificate": certificate, "tls_key": key}


@pytest.mark.parametrize("engine", ["builtin", "grpcio"])
async def test_the_grpc_port_speaks_tls(engine: Any, certified: dict[str, Any], authority: trustme.CA) -> None:
    gateway = Gateway(Settings(**certified, grpc_engine=engine))
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    async with gateway:
        trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        async with grpc.aio.secure_channel(f"localhost:{gateway.grpc_port}", trusted) as channel:
            dish = await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(dish_id="1"), timeout=20)
            assert dish.id == "1"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(), timeout=20)
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        await gateway.stop(0)


@pytest.mark.parametrize("broken", ["missing", "garbage", "another's key"])
async def test_a_bad_certificate_stops_the_start_and_is_named(
    broken: str, certified: dict[str, Any], authority: trustme.CA
) -> None:
    if broken == "missing":
        certified["tls_certificate"].unlink()
    elif broken == "garbage":
        certified["tls_certificate"].write_text("soup")
    else:
        authority.issue_cert("localhost").private_key_pem.write_to_path(certified["tls_key"])
    with pytest.raises(OSError, match=r"certificate\.pem"):
        await Gateway(Settings(**certified)).start()


async def test_native_refuses_tls_and_says_what_to_do(certified: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match=r'cannot serve TLS: set grpc_engine to "builtin"'):
        await Gateway(Settings(**certified, grpc_engine="native")).start()


async def test_a_missing_engine_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygrpc_native", None)  # as Python marks modules that cannot be imported
    with pytest.raises(MissingExtra, match=r'pip install "diptych\[native\]"') as refused:
        await Gateway(Settings(**ANY, grpc_engine="native")).start()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("given", ["tls_certificate", "tls_key"])
def test_half_a_certificate_is_refused(given: str) -> None:
    half: dict[str, Any] = {given: Path("x.pem")}
    with pytest.raises(ValueError, match="both or neither"):
        Settings(**half)
