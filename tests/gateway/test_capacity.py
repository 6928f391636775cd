"""The default limits, derived from memory and descriptors."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from diptych import Settings, capacity
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve

MIB = 1024 * 1024


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 512 MiB and 1024 descriptors."""
    monkeypatch.setattr(capacity, "memory", lambda: 512 * MIB)
    monkeypatch.setattr(capacity, "descriptors", lambda: 1024)


@pytest.mark.usefixtures("machine")
def test_connections_fit_into_memory_and_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert capacity.bounded(Settings()).max_connections == 768, "three quarters of the descriptors"
    assert capacity.bounded(Settings(workers=4)).max_connections == 256, "an eighth of a quarter of the memory"
    assert capacity.bounded(Settings(max_connections=10_000)).max_connections == 10_000
    monkeypatch.setattr(capacity, "descriptors", lambda: 8)
    assert capacity.bounded(Settings()).max_connections == 64


@pytest.mark.usefixtures("machine")
def test_bytes_in_flight_are_a_quarter_of_the_memory_and_at_least_a_body() -> None:
    assert capacity.bytes_in_flight(Settings()) == 128 * MIB
    assert capacity.bytes_in_flight(Settings(workers=2)) == 64 * MIB
    assert capacity.bytes_in_flight(Settings(method_max_body_bytes={"/a.B/C": 300 * MIB})) == 300 * MIB
    assert capacity.bytes_in_flight(Settings.model_validate({"limits": {"max_bytes_in_flight": 99 * MIB}})) == 99 * MIB


CGROUPS = [
    ("0::/\n", {"memory.max": "1000\n"}, [1000]),
    ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2000\n", "memory.max": "max\n"}, [2000]),
    ("0::/of/the/host\n", {"memory.max": "3000\n"}, [3000]),
    ("5:cpu:/x\n4:memory:/x\n", {"memory/x/memory.limit_in_bytes": "4000\n"}, [4000]),
    ("5:cpu:/x\n", {}, []),
    ("", {}, []),
]


@pytest.mark.parametrize(("own", "files", "limits"), CGROUPS)
def test_a_control_groups_limit_applies(own: str, files: dict[str, str], limits: list[int], tmp_path: Path) -> None:
    (cgroup := tmp_path / "cgroup").write_text(own)
    for name, text in files.items():
        (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fs" / name).write_text(text)
    assert list(capacity._limits(tmp_path / "fs", cgroup)) == limits


def test_this_machine_has_memory_and_descriptors() -> None:
    assert capacity.memory() > MIB
    assert capacity.descriptors() > 0


async def test_the_default_byte_limit_applies_without_an_interceptor(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "memory", lambda: 0)  # so the default is one largest body
    async with serve(max_body_bytes=1000, single_port=True) as served:
        first = asyncio.ensure_future(served.rpc.Wait(pb.WaitRequest(key="a" * 700)))
        await served.kitchen.waiting["a" * 700].wait()
        refused = await served.http.post("/v1/blobs", content=bytes(700))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await served.rpc.Wait(pb.WaitRequest(key="b" * 700))
        assert told.value.code() is grpc.StatusCode.UNAVAILABLE
        assert (await served.http.get("/v1/dishes/1")).status_code == 200
        first.cancel()
        assert served.gateway.limits.caps.most_bytes == 1000
