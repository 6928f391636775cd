"""Diptych itself with both listeners; with a number as argument, that many routes instead of the kitchen's."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench.records import BODY_LIMIT
from bench.servers.listen import announce
from bench.servicer import kitchen
from bench.wide import register
from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc


def build(routes: int = 0) -> Gateway:
    """Returns the gateway with `routes` routes; 0 means the kitchen's own."""
    gateway = Gateway(Settings(http_port=0, grpc_port=0, max_body_bytes=BODY_LIMIT))
    if routes:
        register(gateway, routes)
    else:
        pb_grpc.add_KitchenServiceServicer_to_server(kitchen(), gateway)
    return gateway


async def main(routes: int) -> None:
    gateway = build(routes)
    async with gateway:
        announce(http=gateway.http_port, grpc=gateway.grpc_port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
