"""What strangers and their neighbour do to a gateway in a separate process, as raw bytes, and what it costs there.

The gateway is that of `undecided`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import h2.config
import h2.connection

from tests.parity.undecided import NEIGHBOUR
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
KIB = 1024


@dataclass(frozen=True)
class Server:
    """A gateway in a separate process, and the file of its log."""

    pid: int
    http_port: int
    grpc_port: int
    log: Path

    def reset_peak(self) -> None:
        """Makes the peak what is held now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Its peak memory in bytes since then."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * KIB

    async def neighbour(self, name: str) -> None:
        """Calls as the authenticated neighbour; returns once the call is in the log, behind those before it."""
        head = f"GET /v1/dishes/{name} HTTP/1.1\r\nhost: x\r\nx-api-key: {NEIGHBOUR}\r\nx-request-id: {name}\r\n\r\n"
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.http_port)
            writer.write(head.encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        await until(lambda: name in self.log.read_text())


@contextlib.asynccontextmanager
async def undecided() -> AsyncIterator[Server]:
    """Runs the gateway."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as written:  # noqa: ASYNC230  # a local file, once
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.parity.undecided"),
                cwd=ROOT,
                env={"PYTHONPATH": f"{ROOT}/tests/gen:{ROOT}", "PATH": "", "MALLOC_MMAP_THRESHOLD_": "65536"},
                stdout=asyncio.subprocess.PIPE,
                stderr=written,
            )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                ports = (await process.stdout.readline()).split()
            yield Server(process.pid, int(ports[0]), int(ports[1]), log)
            assert process.returncode is None
        finally:
            process.kill()
            await process.wait()


def over_http2(path: str, *fields: tuple[str, str], body: bytes = b"", ended: bool = False) -> bytes:
    """A connection that begins with one POST, and what there is of its body."""
    made = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
    made.initiate_connection()
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", path)]
    made.send_headers(1, [*head, *fields], end_stream=ended)
    frames = [(len(part).to_bytes(3, "big") + b"\0\0\0\0\0\x01" + part) for part in _parts(body)]
    return made.data_to_send() + b"".join(frames)


def _parts(body: bytes) -> list[bytes]:
    return [body[at : at + 16384] for at in range(0, len(body), 16384)]
