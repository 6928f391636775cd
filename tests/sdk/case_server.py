"""The server that answers every case: gateways, with TLS and without, whose servicers follow the table.

`python -m tests.sdk.case_server` prints one line of JSON and serves until its standard input closes or SIGTERM;
`cases/README.md` describes both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from pydantic import SecretStr

from diptych import Gateway, Settings
from diptych.auth.keys import hash_key, new_key
from diptych.settings.auth import ApiKey, AuthSettings
from tests import certificates
from tests.sdk import case_table
from tests.sdk.case_servicer import CaseServicer
from tests.sdk.case_table import Case


def make_gateway(servicer: CaseServicer, key: str, **settings: Any) -> Gateway:
    """Returns a gateway on free ports that answers every method of the contracts to callers with the key."""
    auth = AuthSettings(api_keys={"cases": ApiKey(hash=SecretStr(hash_key(key)))})
    # Browsers run the table too, from pages of another origin.
    browsers: dict[str, Any] = {"cors_origins": ("*",), "cors_expose_headers": servicer.metadata_names}
    gateway = Gateway(Settings(http_port=0, grpc_port=0, auth=auth, **browsers, **settings))
    servicer.register(gateway)

    @gateway.app.get("/cases/{name:path}")
    async def calls(name: str) -> dict[str, int]:
        if name not in servicer.calls:
            raise HTTPException(404, f"the table has no case {name!r}")
        return dataclasses.asdict(servicer.calls[name])

    return gateway


@contextlib.asynccontextmanager
async def serving(table: Mapping[str, Case], folder: Path) -> AsyncIterator[dict[str, str]]:
    """Serves the cases of a folder, and yields what clients need to know."""
    servicer, key = CaseServicer(table), new_key("cases")
    with tempfile.TemporaryDirectory() as place:
        authority = certificates.Authority(Path(place))
        plain = make_gateway(servicer, key)
        secure = make_gateway(servicer, key, **certificates.settings(authority.shown()))
        async with plain, secure:
            yield {
                "http": f"http://127.0.0.1:{plain.http_port}",
                "https": f"https://localhost:{secure.http_port}",
                "grpc": f"127.0.0.1:{plain.grpc_port}",
                "grpcs": f"localhost:{secure.grpc_port}",
                "ca": str(authority.file),
                "cases": str(folder),
                "api_key": key,
            }
            await asyncio.gather(plain.stop(0), secure.stop(0))


async def _serve(table: Mapping[str, Case], folder: Path) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def wait_for_parent() -> None:
        while os.read(0, 1024):
            pass
        with contextlib.suppress(RuntimeError):  # the loop may have ended by a signal
            loop.call_soon_threadsafe(stop.set)

    async with serving(table, folder) as line:
        print(json.dumps(line), flush=True)  # noqa: T201 - the program's answer
        threading.Thread(target=wait_for_parent, daemon=True).start()
        await stop.wait()


def main() -> int:
    """Runs the server; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.sdk.case_server", description=__doc__)
    parser.add_argument("--cases", type=Path, default=case_table.FOLDER, help="a folder of *.json files")
    folder = parser.parse_args().cases.resolve()
    try:
        asyncio.run(_serve(case_table.read(folder), folder))
    except case_table.TableError as error:
        sys.stderr.write(f"case_server: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
