"""The gRPC load generator: `python -m bench.grpc_client PORT METHOD SECONDS`, a grpcio client process.

It costs about as much CPU per call as the servers, which limits the rates: they compare two gRPC servers, but cannot be
compared with a REST rate.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import grpc
import uvloop
from google.protobuf import json_format

from bench.records import NESTED
from bench.request import percentile
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

CALLS = 16
"""Concurrent calls."""


async def main(port: int, method: str, seconds: float) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = pb_grpc.KitchenServiceStub(channel)
        dish = json_format.ParseDict(NESTED, pb.Dish())
        methods: dict[str, tuple[Any, Any]] = {
            "get": (stub.GetDish, pb.GetDishRequest(dish_id="dish-0")),
            "list": (stub.ListDishes, pb.ListDishesRequest()),
            "post": (stub.CreateDish, pb.CreateDishRequest(dish=dish)),
        }
        call, request = methods[method]
        latencies: list[float] = []
        await call(request)
        until = time.perf_counter() + seconds

        async def repeat() -> None:
            while (began := time.perf_counter()) < until:
                await call(request)
                latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(repeat() for _ in range(CALLS)))
    report = {
        "rate": len(latencies) / seconds,
        "p50": percentile(latencies, 0.5) * 1e3,
        "p99": percentile(latencies, 0.99) * 1e3,
        "requests": len(latencies),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
