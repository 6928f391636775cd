"""A real nginx with the block of the documentation, whose names and ports are replaced by those of a test."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from artificer_services.cluster.servers import free_port
from tests.certificates import Shown
from tests.docs.blocks import ROOT, read
from tests.waiting import until

PAGE = ROOT / "docs" / "how-to" / "proxies.md"
REQUIRED = os.environ.get("TESTS_NGINX") == "required"

_HTTP = """\
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/diptych.conf;
}}
"""

# Its workers must reach the folder of a test, which belongs to the user who runs the tests.
_USER = "user root root;" if os.geteuid() == 0 else ""


@dataclass(frozen=True)
class Nginx:
    """A running one: its port, which serves TLS for `localhost`, and its folder."""

    port: int
    folder: Path


def find_nginx() -> str | None:
    """Returns the path of nginx on this machine, or None; Debian's is where only root looks."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def documented(port: int, http_port: int, grpc_port: int, shown: Shown) -> str:
    """Returns the documentation's block for these ports and this certificate of `localhost`."""
    text = next(block.code for block in read(PAGE).blocks if block.title == "diptych.conf")
    for old, new in (
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("127.0.0.1:8080", f"127.0.0.1:{http_port}"),
        ("127.0.0.1:50051", f"127.0.0.1:{grpc_port}"),
        ("api.example.com", "localhost"),
        ("/etc/nginx/tls/fullchain.pem", str(shown.certificate_file)),
        ("/etc/nginx/tls/privkey.pem", str(shown.key_file)),
    ):
        assert old in text, f"the block no longer has {old!r}"
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def nginx(folder: Path, http_port: int, grpc_port: int, shown: Shown) -> AsyncIterator[Nginx]:
    """Runs nginx in front of a gateway's ports."""
    program, port = find_nginx(), free_port()
    assert program is not None, "nginx is required and was not found"
    (folder / "diptych.conf").write_text(documented(port, http_port, grpc_port, shown))
    (folder / "nginx.conf").write_text(_HTTP.format(folder=folder, user=_USER))
    process = await asyncio.create_subprocess_exec(
        program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")
    )
    try:
        await until(lambda: _listens(port), passing=(OSError,))
        yield Nginx(port, folder)
    finally:
        process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port)).close()
    return True
