"""A gateway in a separate process that never decides who a stranger is: `python -m tests.parity.undecided`.

It knows one neighbour, refuses callers with another key at once, writes its log to standard error, and its ports as one
line to standard output.
"""

from __future__ import annotations

import asyncio
import sys

import diptych
from diptych import Gateway, Settings
from diptych.telemetry.logs import configure
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen

NEIGHBOUR = "the-neighbours-key"


class Strangers:
    """Never says who calls without a key."""

    async def authenticate(self, credentials: diptych.Credentials) -> diptych.Principal | None:
        if credentials.api_key == NEIGHBOUR:
            return diptych.Principal(id="neighbour", kind="api-key")
        if credentials.api_key is not None:
            raise diptych.Refused("wrong key")
        await asyncio.Event().wait()
        return None


async def main() -> None:
    """Serves until the process is killed."""
    telemetry = {"access_log": True, "log_format": "json"}
    settings = Settings.model_validate(
        {"http_port": 0, "grpc_port": 0, "allowed_hosts": ("*",), "telemetry": telemetry}
    )
    configure(settings.telemetry, "info", sys.stderr)
    gateway = Gateway(settings, authenticators=[Strangers()])
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    await gateway.start()
    sys.stdout.write(f"{gateway.http_port} {gateway.grpc_port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
