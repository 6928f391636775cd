"""Plain grpc.aio with the same servicer: compared over gRPC, and the upstream of Envoy."""

from __future__ import annotations

import asyncio

import grpc

from bench.records import BODY_LIMIT
from bench.servers.listen import HOST, announce
from bench.servicer import kitchen
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc


async def main() -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", BODY_LIMIT)])
    pb_grpc.add_KitchenServiceServicer_to_server(kitchen(), server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    announce(grpc=port)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
