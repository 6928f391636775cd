"""The services as `make serve` runs them, once for this folder, and clients of both kinds over both transports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from artificer import Artificer, AsyncArtificer
from tests.e2e.conftest import ROOT, Served, serving

SCAN = ROOT / "examples" / "scan.pdf"
"""A scanned document of three pages, without a text layer."""


@pytest.fixture(scope="session")
def services() -> Iterator[Served]:
    """The program's addresses."""
    with serving() as where:
        yield where


@pytest.fixture(params=["rest", "grpc"])
def client(services: Served, request: pytest.FixtureRequest) -> Iterator[Artificer]:
    """A client for threads."""
    with Artificer(base_url=services.http, target=services.grpc, transport=request.param) as made:
        yield made


@pytest.fixture(params=["rest", "grpc"])
async def async_client(services: Served, request: pytest.FixtureRequest) -> AsyncIterator[AsyncArtificer]:
    """A client for asyncio."""
    async with AsyncArtificer(base_url=services.http, target=services.grpc, transport=request.param) as made:
        yield made


@pytest.fixture
def scan() -> Path:
    """The path of the scanned document."""
    return SCAN
