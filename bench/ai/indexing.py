"""Documents into a collection by `POST /v1/assets:process`: pages a second, read, cut, embedded, and stored."""

from __future__ import annotations

import time
from base64 import b64encode
from dataclasses import dataclass

import httpx2

from bench.ocr.corpus import Sample, digital, scanned
from bench.soak.program import HOST, Program

_COLLECTION = "bench"


@dataclass(frozen=True, slots=True)
class Indexed:
    """What became of a document."""

    name: str
    pages: int
    chunks: int
    seconds: float


async def index(program: Program, pages: int) -> list[Indexed]:
    """Returns the figures of a born-digital document of so many pages, and of scans with a tenth of them."""
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{program.http}", timeout=600) as client:
        (await client.post("/v1/collections", params={"collectionId": _COLLECTION}, json={})).raise_for_status()
        await _one(client, digital(2, 1), "warm")  # the embedding model is loaded
        digits = await _one(client, digital(pages, 2), "digital")
        scans = scanned("scans, 200 dpi", 200, max(pages // 10, 1), 3)
        return [digits, await _one(client, scans, "scans")]


async def _one(client: httpx2.AsyncClient, sample: Sample, document: str) -> Indexed:
    body = {"collection": _COLLECTION, "document": document, "data": b64encode(sample.pdf).decode()}
    began = time.perf_counter()
    response = await client.post("/v1/assets:process", json=body)
    seconds = time.perf_counter() - began
    response.raise_for_status()
    made = response.json()
    assert made["status"] == "ASSET_STATUS_INDEXED", made
    return Indexed(sample.name, made["pageCount"], made["chunkCount"], seconds)
