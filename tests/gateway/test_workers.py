"""`diptych serve --workers`: the real program, with real signals, under load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
from pathlib import Path

import grpc
import httpx2
import pytest

from diptych.workers.plan import Slot
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import ENGINES
from tests.gateway.supervised import SERVES, Program, all_serve, callers_of, failed, flags, load, serving, started
from tests.valkey import start_valkey
from tests.waiting import until_here


async def test_each_worker_serves_the_metrics_of_all() -> None:
    pattern = re.compile(r'^grpc_server_started_total\{[^}]*grpc_method="GetDish"[^}]*\} (\S+)', re.MULTILINE)

    async def told(program: Program) -> list[float]:
        answers = (await program.get_by_all("/metrics")).values()
        return [float(found[1]) for answer in answers if (found := pattern.search(answer.text))]

    async with serving() as program:
        first = await told(program)
        second = await told(program)
        assert len(first) == len(second) == 2
        assert min(second) > max(first)  # each knows the calls of both


async def test_all_count_a_rate_together_in_one_storage() -> None:
    valkey = await asyncio.to_thread(start_valkey)
    try:
        limits = {
            "rules": [{"methods": "/kitchen.v1.KitchenService/GetDish", "by": [], "rate": "40/day"}],
            "storage_url": f"valkey://127.0.0.1:{valkey.port}/0",
            "storage_timeout_seconds": 10,  # slow machines answer late
        }
        async with serving(DIPTYCH_LIMITS=json.dumps(limits)) as program:
            answers = [await program.get("/v1/dishes/1") for _ in range(60)]
            served = [answer for answer in answers if answer.status_code == 200]
            assert {answer.status_code for answer in answers} == {200, 429}
            assert len(served) == 40
            assert {int(answer.json()["title"]) for answer in served} == set(program.workers().values())
    finally:
        await asyncio.to_thread(valkey.stop)


async def test_a_killed_worker_is_replaced_and_loses_only_its_own_calls() -> None:
    async with serving() as program:
        victim, other = program.workers()[0], program.workers()[1]
        async with contextlib.AsyncExitStack() as stack:
            clients: dict[int, httpx2.AsyncClient] = {}
            while len(clients) < 2:
                client = await stack.enter_async_context(httpx2.AsyncClient(verify=False, timeout=30))
                client.base_url = f"http://127.0.0.1:{program.http_port}"
                clients[int((await client.get("/v1/dishes/1")).json()["title"])] = client
            lost = asyncio.create_task(clients[victim].post("/v1/wait", json={"key": "k"}))
            await program.begun("Wait")
            os.kill(victim, signal.SIGKILL)
            with pytest.raises(httpx2.HTTPError):
                await lost
            # While it is gone, the other one accepts all new connections, also those for the empty slot.
            for _ in range(20):
                assert (await program.get("/v1/dishes/1")).status_code == 200
            assert (await clients[other].get("/v1/dishes/1")).json()["title"] == str(other)
        await program.said(rf"worker 0 \(process {victim}\) was killed by SIGKILL: it is replaced")
        replaced = int((await program.said(r"worker 0 \(process (\d+)\) serves"))[1])
        assert set(await program.get_by_all("/healthz")) == {replaced, other}


@pytest.mark.parametrize("engine", ENGINES)
async def test_workers_share_two_ports_and_a_reload_under_load_fails_no_call(engine: str) -> None:
    async with serving(*flags(engine)) as program:
        await all_serve(program)
        before = program.workers()
        # A channel as people make it: with grpc.enable_retries = 0 grpcio itself fails calls that it holds unsent when
        # a GOAWAY arrives, even those below the id in it. test_http2 proves that the worker refuses none.
        async with (
            httpx2.AsyncClient(verify=False, timeout=30) as client,
            grpc.aio.insecure_channel(f"127.0.0.1:{program.grpc_port}") as channel,
        ):
            stub = pb_grpc.KitchenServiceStub(channel)

            async def call() -> None:
                await stub.GetDish(pb.GetDishRequest(dish_id="7"))

            # The promise for gRPC calls is that of the gateway's own HTTP/2.
            rpc = (call, call) if engine in ("builtin", "single-port") else ()
            async with load(*callers_of(program, client), *rpc) as counts:
                program.signal(signal.SIGHUP)
                await program.said("reloaded: HTTP on ")
                await until_here(lambda: min(counts["kept"], counts["fresh"]) > 20)
                await until_here(lambda: not rpc or counts["call"] > 20)
            assert not failed(counts), counts
        assert not set(program.workers().values()) & set(before.values())
        await all_serve(program)
        program.signal(signal.SIGTERM)
        assert await program.process.wait() == 0


async def test_no_probe_sees_a_worker_that_is_not_ready_yet() -> None:
    async with serving("--set", "readiness.keep_seconds=0", app="warming") as program:
        before = program.workers()

        async def probe() -> None:
            answer = await program.get("/readyz")
            assert (answer.status_code, answer.json()["checks"]) == (200, {"oven": "ok"})

        async with load(probe, probe) as counts:
            program.signal(signal.SIGHUP)
            await program.said("reloaded: HTTP on ")
            served = counts["probe"]
            await until_here(lambda: counts["probe"] > served + 20)
        assert not failed(counts), counts
        assert not set(program.workers().values()) & set(before.values())
        assert "oven is down" not in program.written  # it has had time to become ready


async def test_a_reload_that_cannot_start_leaves_the_old_ones(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    async with serving(app="unfit", UNFIT=str(cold)) as program:
        before = program.workers()
        cold.touch()
        program.signal(signal.SIGHUP)
        await program.said("the oven is cold")
        await program.said("ended with code 1 before it served: the reload is abandoned")
        assert set(await program.get_by_all("/healthz")) == set(before.values())
        cold.unlink()
        program.signal(signal.SIGHUP)
        await program.said("reloaded: ")
        assert not set(await program.get_by_all("/healthz")) & set(before.values())


async def test_a_worker_that_hangs_is_killed_and_replaced() -> None:
    async with serving("--set", "worker_hang_seconds=6") as program:  # a delayed worker is not silent for that long
        with pytest.raises(httpx2.HTTPError):
            await program.get("/v1/dishes/hang")
        await program.said(r"worker \d \(process \d+\) has been silent for 6 s: it is killed")
        await program.said(SERVES)
        await program.get_by_all("/healthz")


async def test_a_worker_stopped_by_a_signal_is_replaced() -> None:
    async with serving() as program, httpx2.AsyncClient(verify=False, timeout=30) as client:
        victim = program.workers()[1]
        async with load(*callers_of(program, client)) as counts:
            os.kill(victim, signal.SIGTERM)
            await program.said(rf"worker 1 \(process {victim}\) stops on a signal: it is replaced")
            await program.said(r"worker 1 \(process \d+\) serves")
        assert not failed(counts), counts


async def test_sigterm_under_load_ends_all_and_drops_no_request() -> None:
    refused = asyncio.Event()
    done = 0

    async def call(program: Program) -> None:
        """Opens a connection per request until one is refused."""
        nonlocal done
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", program.http_port)
            except ConnectionRefusedError:
                refused.set()
                return
            except ConnectionResetError:
                continue  # as below, if it arrives at once
            writer.write(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            try:
                said = await reader.read()
            except ConnectionResetError:
                said = b""  # the kernel's handshake was complete, but not yet accepted
            writer.close()
            if said:
                assert said.startswith(b"HTTP/1.1 200 ")
                done += 1

    async with serving() as program:
        async with asyncio.TaskGroup() as running:
            for _ in range(4):
                running.create_task(call(program))
            while done < 50:
                await program.get("/v1/dishes/1")
            program.signal(signal.SIGTERM)
        assert refused.is_set()
        assert await program.process.wait() == 0
        await program.reading
        for pid in program.workers().values():
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert "Traceback" not in program.written


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_all_at_once(number: signal.Signals) -> None:
    async with serving("--grace-seconds", "1000") as program:
        waiting = asyncio.create_task(program.get("/v1/ticks?count=1&key=k"))
        await program.begun("Tick")
        program.signal(number)
        await program.said(f"stopping on {number.name}")
        program.signal(number)
        assert await program.process.wait() == 128 + number
        with pytest.raises(httpx2.HTTPError):
            await waiting


async def test_workers_end_when_their_supervisor_is_gone(tmp_path: Path) -> None:
    async with serving(TMPDIR=str(tmp_path)) as program:
        program.signal(signal.SIGKILL)
        await program.process.wait()
        await program.reading  # the last one closes the pipe that all of them write to
        assert program.written.count("the supervisor has died: stopping") == 2
    assert os.listdir(tmp_path) == []


async def test_workers_that_never_start_are_given_up(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    cold.touch()
    given = ["tests.gateway.crowd:unfit", "--workers", "2", "--http-port", "0", "--grpc-port", "0"]
    async with asyncio.timeout(60), started(*given, UNFIT=str(cold)) as program:
        await program.said("no worker could be started, the supervisor exits")
        assert await program.process.wait() == 1
        assert program.written.count("the oven is cold") == 3


@pytest.mark.parametrize("which", ["http", "grpc"])
async def test_a_port_in_use_is_an_error(which: str) -> None:
    with socket.socket() as taken:
        taken.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEPORT, 1
        )  # SO_REUSEPORT of another program does not let us share its port
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = "grpc" if which == "http" else "http"
        given = ["tests.gateway.crowd:create", "--workers", "2", f"--{which}-port", str(port), f"--{other}-port", "0"]
        async with asyncio.timeout(60), started(*given) as program:
            await program.said(
                rf"diptych: cannot listen on 127\.0\.0\.1:{port}, set by {which}_host .*: Address already in use"
            )
            assert await program.process.wait() == 1


async def test_systemd_is_notified(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(address)
        told.setblocking(False)
        loop = asyncio.get_running_loop()

        async def word() -> str:
            return (await loop.sock_recv(told, 1024)).decode().partition("\n")[0]

        async with serving(NOTIFY_SOCKET=address) as program:
            assert await word() == "READY=1"
            program.signal(signal.SIGHUP)
            assert [await word(), await word()] == ["RELOADING=1", "READY=1"]
            program.signal(signal.SIGTERM)
            assert await word() == "STOPPING=1"
            assert await program.process.wait() == 0


@pytest.mark.parametrize(
    "slot",
    [
        "{}",
        "soup",
        Slot(
            index=0,
            workers=2,
            channel=0,
            http=0,
            grpc=None,
            http_host="",
            http_port=1,
            grpc_host="",
            grpc_port=1,
            metrics_port=None,
            metrics_dir="",
            private_dir=False,
        ).text(),
    ],
)
async def test_a_worker_is_not_started_by_hand(slot: str) -> None:
    async with asyncio.timeout(60), started("tests.gateway.crowd:create", "--as-worker", slot) as program:
        await program.said("diptych: ")
        assert await program.process.wait() == 1
        await program.reading
        assert "Traceback" not in program.written
