"""`client.orchestration`: pipelines of typed steps, run as batch jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..._batch import BatchRun, ItemInput, ShowProgress
from ..._files import FileInput
from ..._pipeline import phases_of_steps
from ..resource import Resource
from .batch import Batch

if TYPE_CHECKING:
    from ... import types
    from ...steps import Step


class Orchestration(Resource):
    """`client.orchestration`: pipelines of typed steps, run as batch jobs."""

    def pipeline(self, *steps: Step, name: str | None = None) -> Pipeline:
        """Returns a pipeline: every item goes through the steps in their order, each on the output of the one before.

        Args:
            steps: The steps, of `artificer.steps`.
            name: The name of its jobs for people; the tasks, if it is absent.

        Raises:
            ValueError: There are no steps, two have one name, one cannot read what the one before it gives, or a
                template names a step that does not come before it.
        """
        return Pipeline(Batch(self._calls), steps, name)


class Pipeline:
    """Steps that fit together. It may run any number of times."""

    def __init__(self, batch: Batch, steps: tuple[Step, ...], name: str | None) -> None:
        self._batch, self._name = batch, name
        self.steps = steps
        self.phases = phases_of_steps(steps)
        """The phases of its jobs; `phase_outputs` of results have the outputs of steps by their names."""

    def run(
        self,
        files: Iterable[FileInput] = (),
        *,
        inputs: Iterable[ItemInput] = (),
        project_id: str | None = None,
        concurrency: int | None = None,
        uploads: int = 4,
        progress: ShowProgress | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> BatchRun:
        """Runs files or other inputs through the steps and returns the results; see `client.batch.run`."""
        return self._batch.run(
            files,
            inputs=inputs,
            phases=self.phases,
            name=self._name,
            project_id=project_id,
            concurrency=concurrency,
            uploads=uploads,
            progress=progress,
            idempotency_key=idempotency_key,
            timeout=timeout,
        )

    def start(
        self,
        files: Iterable[FileInput] = (),
        *,
        inputs: Iterable[ItemInput] = (),
        project_id: str | None = None,
        concurrency: int | None = None,
        uploads: int = 4,
        progress: ShowProgress | None = None,
        idempotency_key: str | None = None,
    ) -> types.batch.Job:
        """Starts a job and returns it at once; `client.batch.wait` and `client.batch.results` have the rest."""
        return self._batch.submit(
            files,
            inputs=inputs,
            phases=self.phases,
            name=self._name,
            project_id=project_id,
            concurrency=concurrency,
            uploads=uploads,
            progress=progress,
            idempotency_key=idempotency_key,
        )
