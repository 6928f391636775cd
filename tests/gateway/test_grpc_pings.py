"""PINGs in both directions over every engine: clients may send them often, and silent clients get some."""

from __future__ import annotations

import asyncio

import h2.events as ev
import pytest
from h2.errors import ErrorCodes

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.gateway.http2_client import Client, connected

pinging = pytest.mark.parametrize("engine", ["builtin", "single-port", "grpcio"], indirect=True)


async def ping(client: Client, number: int) -> None:
    """Sends a PING and waits for its acknowledgement, or for the end of the connection."""
    client.h2.ping(number.to_bytes(8, "big"))
    await client.flush()
    await client.until(lambda: acknowledged(client) > number or ended(client))


def acknowledged(client: Client) -> int:
    return sum(isinstance(event, ev.PingAckReceived) for event in client.events)


def ended(client: Client) -> list[ev.ConnectionTerminated]:
    return [event for event in client.events if isinstance(event, ev.ConnectionTerminated)]


@every_engine
async def test_clients_may_ping_at_any_interval(serve: Serve) -> None:
    async with asyncio.timeout(20), serve() as served, connected(served.gateway.grpc_port) as client:
        for number in range(20):
            await ping(client, number)
        assert not ended(client)
        assert (await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"))).id == "1"


@pytest.mark.parametrize("engine", ["grpcio"], indirect=True)
async def test_grpcios_minimum_interval_is_a_setting(serve: Serve) -> None:
    strict = serve(grpcio_min_ping_seconds=60)
    async with asyncio.timeout(20), strict as served, connected(served.gateway.grpc_port) as client:
        for number in range(4):
            await ping(client, number)
        end = await client.event(ev.ConnectionTerminated)
        assert (end.error_code, end.additional_data) == (ErrorCodes.ENHANCE_YOUR_CALM, b"too_many_pings")


@pinging
async def test_a_silent_client_gets_pings(serve: Serve) -> None:
    alert = serve(http2_ping_seconds=0.1)
    async with asyncio.timeout(20), alert as served, connected(served.gateway.grpc_port) as client:
        await client.event(ev.PingReceived)
