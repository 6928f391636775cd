"""The process of a conversion: what it may not do, and that it ends with its server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.waiting import exited, wait_for

ROOT = Path(__file__).parents[3]


def test_the_sandbox_refuses_sockets() -> None:
    program = (
        "import socket; from artificer_services.convert.sandbox import close_network; assert close_network()\n"
        "try: socket.socket()\nexcept PermissionError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "refused\n"


SERVER = """
import asyncio, os, sys
from artificer_services.convert.build import build
from artificer_services.convert.engine import Choices
from tests.services.convert.test_hostile import SLOW
from tests.waiting import until_here

async def main():
    service = build()
    async with service.lifespan():
        working = asyncio.ensure_future(service.converter.convert_bytes(SLOW, Choices(to="md")))
        children = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
        print((await until_here(lambda: open(children).read().split()))[0], flush=True)
        await working

asyncio.run(main())
"""


def test_conversions_die_with_a_server_that_is_killed(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, cwd=ROOT, env=environment, text=True
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        wait_for(lambda: Path(f"/proc/{pid}/exe").readlink().name == "pandoc")
        gone = os.pidfd_open(pid)
        server.kill()
        asyncio.run(exited(gone))
    assert not list(tmp_path.iterdir())
