"""embed, the task type of batch jobs that makes vectors of texts; an entry point names this module.

Knows the batch service only through Protocols. Imports the models when the first item runs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...kit.parameters import one_of
from ...kit.task_tables import table
from ...kit.task_types import Phase, Work, faults_of
from .choices import model_faults
from .failures import persistently
from .resources import Resources
from .settings import RetrySettings, ai_settings

if TYPE_CHECKING:
    from ..models.values import Embedded
    from ..settings import AiSettings

_FORMATS = ("json", "base64", "blob")


@dataclass(frozen=True, slots=True)
class Vector:
    """The output of an item."""

    text: str
    tokens: int


class EmbedTask:
    """The task type embed."""

    name = "embed"
    description = (
        "Makes the vector of a text. Parameters: format (json, the default: a list of numbers; base64: its"
        " little-endian 32-bit floats in base64; blob: blob: and the id of these floats)."
    )
    scored = False
    takes = "text"
    timeout: float | None = None

    def __init__(self, settings: RetrySettings, ai: AiSettings) -> None:
        self._settings = settings
        self._resources = Resources(ai)

    def check(self, phase: Phase) -> list[tuple[str, str]]:
        """See the batch service's `Task`."""
        found = faults_of(self.name, phase, {"format": one_of(_FORMATS)}, models=True)
        return found + model_faults(phase.model, self._resources.settings.embedding_models)

    def run(self, work: Work) -> Vector:
        """See the batch service's `Task`."""
        made = self._resources.run(persistently(lambda: self._embed(work), work, self._settings), work.cancelled)
        floats = made.vectors[0].astype("<f4").tobytes()
        match work.phase.parameters.get("format", "json"):
            case "blob":
                text = work.save_blob(floats, "application/octet-stream")
            case "base64":
                text = base64.b64encode(floats).decode("ascii")
            case _:
                text = json.dumps([float(str(number)) for number in made.vectors[0]])  # the fewest digits
        return Vector(text, made.tokens)

    def close(self) -> None:
        """End the model's processes."""
        self._resources.close()

    async def _embed(self, work: Work) -> Embedded:
        models = await self._resources.models()
        return await models.embed(work.phase.model, [work.input])


def create(tasks: Mapping[str, Any]) -> EmbedTask:
    """Returns the task embed. Raises ValueError for invalid settings."""
    return EmbedTask(table(tasks, EmbedTask.name, RetrySettings), ai_settings(tasks))
