"""An embedding model behind a server with OpenAI's protocol."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Any

import httpx2
import numpy as np

from diptych.upstream import Upstream

from ..settings import UpstreamEmbeddingSettings
from ..tokens import estimate
from ..values import Embedded, ModelInfo, Vectors
from .answer import count
from .body import TooLarge
from .endpoint import Endpoint, parsed, stopping
from .failures import Failed

_VALUE_BYTES = 64  # of one value of a vector as JSON, with its share of what is around: 20 digits and an exponent


class UpstreamEmbeddings:
    """The embedding model `name` of the settings. Implements EmbeddingModel."""

    def __init__(self, name: str, settings: UpstreamEmbeddingSettings) -> None:
        self.info = ModelInfo(name=name, kind="upstream", chat=False, dimension=settings.dimension)
        self.endpoint = Endpoint(name, settings, label=f"{name} (vectors)")  # a chat model may have its name
        self.breaker: Upstream | None = self.endpoint.breaker
        self._settings = settings

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Returns the vectors of texts, with length 1, in one request to the server."""
        return await self.endpoint.retried(lambda: self._once(texts))

    def memory(self) -> int:
        """Returns 0: there is no process."""
        return 0

    async def stop(self) -> None:
        """Close all connections; running requests fail with Unavailable."""
        await self.endpoint.stop()

    async def _once(self, texts: Sequence[str]) -> Embedded:
        endpoint, settings = self.endpoint, self._settings
        request = {"model": settings.model or self.info.name, "input": list(texts), "encoding_format": "float"}
        deadline = asyncio.get_running_loop().time() + settings.timeout
        response = await endpoint.post("/embeddings", request, deadline)
        body = endpoint.body(response, 65536 + len(texts) * settings.dimension * _VALUE_BYTES)
        try:
            async with asyncio.timeout_at(deadline):
                text = await body.rest()
        except TimeoutError:
            raise endpoint.failures.late("did not answer", settings.timeout) from None
        except TooLarge:
            raise endpoint.failures.broken("it is too large") from None
        except (httpx2.HTTPError, OSError) as error:
            raise stopping() if endpoint.stopped else endpoint.failures.connection(error) from None
        finally:
            await endpoint.close(body)
        try:
            answer = await parsed(text)
        except ValueError:
            raise stopping() if endpoint.stopped else endpoint.failures.broken("it is not JSON") from None
        return self._embedded(answer, texts)

    def _embedded(self, answer: Any, texts: Sequence[str]) -> Embedded:
        if isinstance(answer, dict) and answer.get("error"):
            raise self.endpoint.failures.of_error(answer)
        items = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != len(texts):
            raise self._broken(f"it does not have one vector for each of {len(texts)} texts")
        rows: Vectors = np.zeros((len(texts), self.info.dimension), dtype=np.float32)
        seen: set[int] = set()
        for place, item in enumerate(items):
            index = item.get("index", place) if isinstance(item, dict) else None
            if not isinstance(index, int) or not 0 <= index < len(texts) or index in seen:
                raise self._broken("its vectors have wrong positions")
            seen.add(index)
            rows[index] = self._row(item.get("embedding"))
        with _overflow():
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise self._broken("a vector has no direction")
        used = answer.get("usage")
        tokens = count(used.get("prompt_tokens")) if isinstance(used, dict) else 0
        exact = tokens > 0
        return Embedded(rows / lengths, tokens if exact else sum(map(estimate, texts)), exact=exact)

    def _row(self, values: Any) -> Vectors:
        try:
            # Some servers answer with base64 whatever the request asks for.
            row = (
                np.frombuffer(base64.b64decode(values, validate=True), "<f4")
                if isinstance(values, str)
                else _floats(values)
            )
        except (ValueError, TypeError, binascii.Error, OverflowError):
            raise self._broken("a vector is not a list of numbers") from None
        if row.shape != (self.info.dimension,):
            size = f"{row.shape[0]} values" if row.ndim == 1 else "no list of values"
            raise self._broken(f"a vector has {size}, and the setting `dimension` is {self.info.dimension}")
        return row

    def _broken(self, text: str) -> Failed:
        return self.endpoint.failures.broken(text)


def _overflow() -> np.errstate:
    """Returns a context in which too large a value becomes infinite without a warning; its vector is refused."""
    return np.errstate(over="ignore")


def _floats(values: object) -> Vectors:
    with _overflow():
        return np.asarray(values, dtype=np.float32)
