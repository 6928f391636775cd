"""The kitchen's `gateway.app` as a module for other ASGI servers: `uvicorn tests.gateway.asgi_app:app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc
from tests.kitchen import Kitchen


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    yield {"oven": "hot"}
    print("the lifespan has ended", flush=True)  # noqa: T201


kitchen = Kitchen()
gateway = Gateway(Settings(body_seconds=5), lifespan=lifespan)
kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(kitchen, gateway)
app = gateway.app


@app.get("/waiting/{key}")
async def waiting(key: str) -> bool:
    """Answers once a servicer's method waits under this key."""
    return await kitchen.waiting[key].wait()


@app.get("/cancelled/{key}")
async def cancelled(key: str) -> bool:
    """Answers once the servicer's method of this key has been cancelled."""
    return await kitchen.cancelled[key].wait()


@app.get("/ticking/{key}")
async def ticking(key: str) -> None:
    """Lets the servicer's stream of this key send its next message."""
    kitchen.steps[key].release()


@app.get("/oven")
async def oven(request: Request) -> str:
    """Answers with the state of the lifespan."""
    return str(request.state.oven)
