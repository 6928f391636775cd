"""llm.generate, the task type of batch jobs that asks a chat model; an entry point names this module.

Knows the batch service only through Protocols. `answering` asks the model, and is imported when the first item runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...kit.parameters import Kind, number, one_of, whole
from ...kit.task_types import NotDone, Phase, Work, faults_of
from ...kit.template import template_kind
from .choices import collections_of, model_faults
from .resources import Resources
from .scores import score_of, steps_of
from .settings import GenerateSettings, ai_settings, generate_settings

if TYPE_CHECKING:
    from ..settings import AiSettings
    from .answering import Answer

_FORMATS = ("text", "json")
_PASSAGES = ("collection", "passages", "query")  # the parameters of use_rag


@dataclass(frozen=True, slots=True)
class Generated:
    """The output of an item; `cost` is by the model's prices."""

    text: str
    score: float | None
    tokens: int
    cost: float


class GenerateTask:
    """The task type llm.generate."""

    name = "llm.generate"
    description = (
        "Asks a chat model. Parameters: prompt (a template, see text.template; by default the input), system (a"
        " template), temperature, max_tokens, format (text or json), score (a JSON pointer such as /score to a number"
        " from 0 to 1 in a JSON answer; without it there is no score). With use_rag, passages precede the prompt that"
        " match the query (a template; by default the input) best: parameters collection (ids, separated by commas)"
        " and passages (how many; 4)."
    )
    scored = True
    takes = "text"
    timeout: float | None = None

    def __init__(self, settings: GenerateSettings, ai: AiSettings) -> None:
        self._settings = settings
        self._resources = Resources(ai)

    def check(self, phase: Phase) -> list[tuple[str, str]]:
        """See the batch service's `Task`."""
        found = faults_of(self.name, phase, _kinds(phase), models=True, passages=True)
        found += model_faults(phase.model, self._resources.settings.chat_models)
        if phase.use_rag and "collection" not in phase.parameters:
            found.append(("parameters.collection", "is required with use_rag: the collection of the passages"))
        if not phase.use_rag:
            found += [(f"parameters.{name}", "needs use_rag") for name in _PASSAGES if name in phase.parameters]
        return found

    def run(self, work: Work) -> Generated:
        """See the batch service's `Task`."""
        from .answering import ask

        asked = work.phase.parameters
        answer: Answer = self._resources.run(ask(self._resources, work, self._settings), work.cancelled)
        score = None
        if "score" in asked:
            try:
                score = score_of(answer.text, asked["score"])
            except ValueError as error:
                text = f"the model's answer: {error}"
                raise NotDone(text, final=False, tokens=answer.tokens, cost=answer.cost) from None
        return Generated(answer.text, score, answer.tokens, answer.cost)

    def close(self) -> None:
        """End the model's processes and connections."""
        self._resources.close()


def _kinds(phase: Phase) -> dict[str, Kind]:
    return {
        "prompt": template_kind(phase),
        "system": template_kind(phase),
        "temperature": number(0, 2),
        "max_tokens": whole(1, 10_000_000),
        "format": one_of(_FORMATS),
        "score": steps_of,
        "collection": collections_of,
        "passages": whole(1, 100),
        "query": template_kind(phase),
    }


def create(tasks: Mapping[str, Any]) -> GenerateTask:
    """Returns the task llm.generate. Raises ValueError for invalid settings."""
    return GenerateTask(generate_settings(tasks), ai_settings(tasks))
