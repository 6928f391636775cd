"""Diptych serving gRPC by the engine named as argument: builtin, grpcio or native."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench.records import BODY_LIMIT
from bench.servers.listen import announce
from bench.servicer import kitchen
from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc


def settings(engine: str) -> Settings:
    """Returns the settings that choose the engine."""
    common = Settings(http_port=0, grpc_port=0, max_body_bytes=BODY_LIMIT)
    return Settings.model_validate({**common.model_dump(), "grpc_engine": engine})


async def main(engine: str) -> None:
    gateway = Gateway(settings(engine))
    pb_grpc.add_KitchenServiceServicer_to_server(kitchen(), gateway)
    async with gateway:
        announce(http=gateway.http_port, grpc=gateway.grpc_port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
