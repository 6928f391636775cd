"""A real PostgreSQL and a real Valkey that accept TLS only, with passwords.

The programs from pip are built without OpenSSL, so a terminator in front of each does the handshake: for PostgreSQL
after the client's SSLRequest. It knows no configuration.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from artificer_services.cluster.member import Member
from artificer_services.cluster.servers import NAME, free_port, postgresql, valkey
from tests.certificates import Authority

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # PostgreSQL's protocol, 53.2.10
PASSWORD = "PASSWORD"


@dataclass(frozen=True)
class Servers:
    """The servers' ports, and the authority that signed their certificates."""

    postgres: int
    valkey: int
    plain_postgres: int
    """PostgreSQL's own port, for its programs from pip, which have no TLS either."""
    authority: Path
    refused: list[str]
    """What clients without TLS were refused for, by server."""


class _Front:
    """Terminates TLS in front of a port of this machine."""

    def __init__(self, name: str, port: int, context: ssl.SSLContext, refused: list[str]) -> None:
        self._name, self._port, self._context, self._refused = name, port, context, refused

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back: asyncio.StreamWriter | None = None
        try:
            if self._name == "postgres":
                if await reader.readexactly(8) != _SSL_REQUEST:
                    self._refused.append(self._name)
                    return
                writer.write(b"S")
                await writer.drain()
            await writer.start_tls(self._context)
            behind, back = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(_copy(reader, back), _copy(behind, writer))
        except ssl.SSLError:
            self._refused.append(self._name)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for one in filter(None, (writer, back)):
                one.close()


def _make_database(port: int) -> None:
    """Creates the user and the database that the shipped URLs name."""
    url = f"postgresql://{NAME}:{PASSWORD}@127.0.0.1:{port}/postgres"
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        connection.execute(f"CREATE ROLE diptych LOGIN PASSWORD '{PASSWORD}'".encode())
        connection.execute(b"CREATE DATABASE diptych OWNER diptych")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[Servers]:
    """Runs both servers."""
    authority = Authority(folder)
    shown = authority.shown("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate_file, shown.key_file)
    plain = [free_port(), free_port()]
    refused: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for name, port in zip(("postgres", "valkey"), plain, strict=True):
            make = postgresql if name == "postgres" else valkey
            member = Member(await asyncio.to_thread(make, folder / name, port, PASSWORD), folder / f"{name}.log", print)
            await member.start()
            stack.push_async_callback(member.stop)
            front = await asyncio.start_server(_Front(name, port, context, refused), "127.0.0.1", 0)
            await stack.enter_async_context(front)
            ports.append(front.sockets[0].getsockname()[1])
        await asyncio.to_thread(_make_database, plain[0])
        yield Servers(
            postgres=ports[0], valkey=ports[1], plain_postgres=plain[0], authority=authority.file, refused=refused
        )
