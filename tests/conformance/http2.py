"""Runs h2spec over both HTTP/2 ports of a gateway, in plain text and over TLS."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc
from tests.certificates import Authority, settings
from tests.kitchen import Kitchen

from . import tools

# The wait for an answer that a case expects. h2spec's 2 seconds are too few for TLS handshakes on a busy machine.
_SECONDS = 5
_GROUPS = {"Generic": "generic", "Hypertext": "http2", "HPACK": "hpack"}
_SECTION = re.compile(r"\s+([\d.]+)\. ")
_FAILED = re.compile(r".* × (\d+): (.+)")
_TOTAL = re.compile(r"(\d+) tests, ")


async def run(port: str, *, tls: bool) -> tuple[int, dict[str, str]]:
    """Runs all cases on a port, `single` or `grpc`; returns their number, and the description of each that failed.

    Raises RuntimeError, with h2spec's output, if it did not run to its end.
    """
    with tempfile.TemporaryDirectory() as folder:
        chosen: dict[str, Any] = settings(Authority(Path(folder)).shown()) if tls else {}
        chosen |= {"http_port": 0, "grpc_port": 0, "grace_seconds": 0, "single_port": port == "single"}
        gateway = Gateway(Settings(**chosen))
        kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
        # Most routes answer GET before the body ends, and then ignore the invalid frames that cases send in its place.
        gateway.app.add_api_route("/body", _length, methods=["GET", "POST"])
        async with gateway:
            output = await _h2spec("-p", str(gateway.grpc_port), "-P", "/body", *(("-t", "-k") if tls else ()))
    total = _TOTAL.search(output)
    if total is None:
        raise RuntimeError(output)
    place = f"h2spec/{port}-{'tls' if tls else 'plain'}"
    return int(total[1]), {f"{place}/{name}": said for name, said in failures(output).items()}


async def _length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


async def _h2spec(*arguments: str) -> str:
    command = [str(tools.program(*tools.H2SPEC)), "-o", str(_SECONDS), *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return output.decode(errors="replace")


def failures(output: str) -> dict[str, str]:
    """Returns the cases that failed: the description by name, such as `http2/6.9.1/3`."""
    found: dict[str, str] = {}
    group = section = ""
    for line in output.partition("\nFailures:")[0].splitlines():
        group = _GROUPS.get(line.partition(" ")[0].rstrip(":"), group)
        if failed := _FAILED.match(line):
            found[f"{group}/{section}/{failed[1]}"] = failed[2]
        elif heading := _SECTION.match(line):
            section = heading[1]
    return found
