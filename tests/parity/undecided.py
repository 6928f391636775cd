"""A gateway in a separate process whose authenticator never decides: `python -m tests.parity.undecided`.

It writes its ports as one line.
"""

from __future__ import annotations

import asyncio
import sys

import diptych
from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen


class Strangers:
    """Never says who calls."""

    async def authenticate(self, _: diptych.Credentials) -> diptych.Principal | None:
        await asyncio.Event().wait()
        return None


async def main() -> None:
    """Serves until the process is killed."""
    gateway = Gateway(Settings(http_port=0, grpc_port=0, allowed_hosts=("*",)), authenticators=[Strangers()])
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    await gateway.start()
    sys.stdout.write(f"{gateway.http_port} {gateway.grpc_port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
