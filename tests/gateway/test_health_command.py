"""`diptych health` and the containers' probe, run as commands against gateways on free ports."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme

from diptych import Gateway
from tests import commands
from tests.conftest import Serve, every_engine


async def run(*command: str) -> tuple[int, str, str]:
    """Returns a command's exit code, output and errors."""
    done = await asyncio.to_thread(commands.run, *command, folder=Path.cwd(), env=os.environ)
    return done.returncode, done.stdout, done.stderr


def ports(gateway: Gateway, *, host: str = "0.0.0.0") -> Sequence[str]:
    # Containers bind all addresses.
    names = {"http_port": gateway.http_port, "grpc_port": gateway.grpc_port, "http_host": host, "grpc_host": host}
    return [word for name, value in names.items() for word in ("--set", f"{name}={value}")]


async def test_health_follows_readiness(serve: Serve) -> None:
    fit = {"store": True}
    async with serve(gateway={"readiness": {"store": lambda: fit["store"]}}, readiness={"keep_seconds": 0}) as served:
        asked = ("diptych.cli", "health", *ports(served.gateway))
        code, output, _ = await run(*asked)
        assert (code, json.loads(output)["status"]) == (0, "ready")
        fit["store"] = False
        code, output, _ = await run(*asked)
        assert (code, json.loads(output)["checks"]) == (1, {"store": "failed"})
        assert (await run(*asked, "--live"))[0] == 0


@every_engine
async def test_health_asks_grpc(serve: Serve, engine: str) -> None:
    async with serve() as served:
        one_port = ("--set", f"single_port={str(engine == 'single-port').lower()}")
        asked = ("diptych.cli", "health", "--grpc", *ports(served.gateway), *one_port)
        assert await run(*asked, "--service", "kitchen.v1.KitchenService") == (0, "SERVING\n", "")
        code, _, errors = await run(*asked, "--service", "no.Such")
        assert code == 1
        assert "NOT_FOUND" in errors
        assert "Traceback" not in errors


async def test_the_probe_prints_the_answer(serve: Serve) -> None:
    async with serve(gateway={"readiness": {"store": lambda: False}}) as served:
        place = f"http://127.0.0.1:{served.gateway.http_port}"
        code, output, _ = await run("diptych.probe", f"{place}/readyz")
        assert (code, json.loads(output)["checks"]) == (1, {"store": "failed"})
        assert (await run("diptych.probe", f"{place}/healthz"))[0] == 0


async def test_both_work_over_tls(serve: Serve, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("gateway.test", "127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = {"tls_certificate": tmp_path / "chain.pem", "tls_key": tmp_path / "key.pem"}
    async with serve(**tls) as served:
        assert (await run("diptych.probe", f"https://127.0.0.1:{served.gateway.http_port}/readyz"))[0] == 0
        given = [word for name, path in tls.items() for word in ("--set", f"{name}={path}")]
        asked = ("diptych.cli", "health", *ports(served.gateway), *given)
        assert (await run(*asked))[0] == 0
        assert await run(*asked, "--grpc", "--authority", str(tmp_path / "ca.pem")) == (0, "SERVING\n", "")


CHOOSE = "; start the gateway, or set {0}_host and {0}_port to the address that it serves\n"


@pytest.mark.parametrize(
    ("command", "place", "advice"),
    [
        (("diptych.probe", "http://127.0.0.1:1/"), "http://127.0.0.1:1/", ""),
        (("diptych.cli", "health", "--set", "http_port=1"), "http://127.0.0.1:1/readyz", CHOOSE.format("http")),
        (
            ("diptych.cli", "health", "--grpc", "--set", "grpc_port=1"),
            "grpc.health.v1 at 127.0.0.1:1",
            CHOOSE.format("grpc"),
        ),
        (
            ("diptych.cli", "health", "--grpc", "--set", "http_port=1", "--set", "single_port=true"),
            "grpc.health.v1 at 127.0.0.1:1",
            CHOOSE.format("http"),
        ),
    ],
)
async def test_an_unreachable_gateway_is_one_line_and_a_failure(
    command: Sequence[str], place: str, advice: str
) -> None:
    code, output, errors = await run(*command)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert f"cannot reach {place}: " in errors
    assert "refused" in errors
    assert errors.endswith(advice)


async def test_the_probe_imports_nothing_of_the_gateway() -> None:
    """Probes run every few seconds, and the gateway's imports would cost a second of a core."""
    source = "import sys, diptych.probe; print(sorted({'grpc', 'fastapi', 'pydantic'} & sys.modules.keys()))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0] == b"[]\n"
