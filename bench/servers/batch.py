"""Diptych with the batch service; the argument is the service's settings as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services.batch.build import BatchService, BatchSettings
from bench.servers.listen import announce
from diptych import Gateway, Settings


async def main(settings: BatchSettings) -> None:
    service = BatchService(settings)
    gateway = Gateway(Settings(http_port=0, grpc_port=0), lifespan=service.lifespan)
    rpc.add_BatchServiceServicer_to_server(service.servicer, gateway)
    async with gateway:
        announce(http=gateway.http_port, grpc=gateway.grpc_port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(BatchSettings(**json.loads(sys.argv[1]))))
