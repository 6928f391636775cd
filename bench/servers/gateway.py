"""Diptych itself with both listeners, and the options whose cost is measured."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import uvloop

from bench.records import BODY_LIMIT
from bench.servers.listen import announce
from bench.servicer import CopyingKitchen, kitchen
from bench.wide import register
from diptych import Gateway, Settings
from diptych.auth import hash_key, new_key
from diptych.telemetry.logs import configure
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

# What is not installed where an engine of the JSON codec is the fastest.
ABSENT = {"wire": (), "native": ("diptych_json",), "fallback": ("diptych_json", "protobuf")}


class Counting(grpc.aio.ServerInterceptor):
    """An interceptor as users write them: it looks at the call, counts, and passes it on."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        method = handler_call_details.method
        self.calls[method] = self.calls.get(method, 0) + 1
        return await continuation(handler_call_details)


def build(given: argparse.Namespace, key: str) -> Gateway:
    """Returns the gateway; `key` is the API key that it accepts, empty for none."""
    settings = Settings.model_validate(
        {
            "http_port": 0,
            "grpc_port": 0,
            "max_body_bytes": BODY_LIMIT,
            "max_connections": 100_000,  # ten thousand may be closing while as many are opened
            "grpc_engine": given.engine,
            "single_port": given.single_port,
            "telemetry": {"access_log": given.access_log},
            "auth": {"api_keys": {"bench": {"hash": hash_key(key)}} if key else {}},
        }
    )
    gateway = Gateway(settings, interceptors=[Counting()] if given.interceptor else [])
    if given.routes:
        register(gateway, given.routes)
    else:
        servicer = CopyingKitchen() if given.copying else kitchen()  # type: ignore[abstract]  # as in kitchen()
        pb_grpc.add_KitchenServiceServicer_to_server(servicer, gateway)
    return gateway


async def main(given: argparse.Namespace) -> None:
    for module in ABSENT[given.codec]:
        sys.modules[module] = None  # type: ignore[assignment]  # makes its import fail, as if it were not installed
    key = new_key("bench") if given.api_key else ""
    gateway = build(given, key)
    if given.access_log:
        # To no disk, whose speed is not the gateway's.
        configure(gateway.settings.telemetry, "info", open(os.devnull, "w"))  # noqa: SIM115, ASYNC230  # open until the end
    async with gateway:
        grpc_port = gateway.http_port if given.single_port else gateway.grpc_port
        announce(http=gateway.http_port, grpc=grpc_port, headers={"x-api-key": key} if key else {})
        await asyncio.Event().wait()


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=0, help="that many routes instead of the kitchen's")
    parser.add_argument("--engine", default="builtin", help="the engine of the gRPC port")
    parser.add_argument("--single-port", action="store_true")
    parser.add_argument("--codec", default="wire", choices=ABSENT, help="the fastest engine of the JSON codec")
    parser.add_argument("--copying", action="store_true", help="a servicer that copies each message of a list")
    parser.add_argument("--access-log", action="store_true")
    parser.add_argument("--api-key", action="store_true")
    parser.add_argument("--interceptor", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(arguments()))
