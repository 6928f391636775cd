"""llm.generate: asks a language model through an endpoint with OpenAI's protocol.

Owns prompts, passages and scores. `endpoint` is the client, imported when the first item runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from .api import Output, PhaseView, TaskError, Work
from .llm_settings import LlmSettings
from .parameters import Fault, Kind, faults_of, number, one_of, whole
from .rag import Library, Passage, RagSettings
from .tables import PLACE, table
from .template import parsed, template_kind

if TYPE_CHECKING:
    from .endpoint import Endpoint

_FORMATS = ("text", "json")


class Generate:
    """The task type llm.generate."""

    name = "llm.generate"
    description = (
        "Asks a language model. Parameters: prompt (a template, see text.template; by default the input),"
        " system (a template), temperature, max_tokens, format (text or json), score (a JSON pointer such as /score to"
        " a number from 0 to 1 in a JSON answer; without it there is no score). With use_rag, passages of the"
        " server's documents that match the input precede the prompt."
    )
    scored = True
    takes: Literal["text", "document"] = "text"

    def __init__(self, settings: LlmSettings, rag: RagSettings) -> None:
        self.timeout: float | None = settings.longest
        self._settings = settings
        self._rag = rag
        self._library = Library(rag)
        self._endpoint: Endpoint | None = None

    def check(self, phase: PhaseView) -> list[Fault]:
        found = faults_of(phase, _kinds(phase), rag=True, models=True)
        if not self._settings.base_url:
            found.append(
                ("task_type", f"the server has no endpoint for llm.generate; set {PLACE}.llm.generate.base_url")
            )
        if find_spec("openai") is None:
            found.append(
                ("task_type", "the server lacks the client of llm.generate; install 'artificer-services[llm]'")
            )
        if phase.use_rag and not self._rag.folder:
            found.append(("use_rag", f"the server has no folder of passages; set {PLACE}.rag.folder"))
        if not self._model(phase):
            found.append(("model", f"must be set: the server has no default model ({PLACE}.llm.generate.model)"))
        elif self._settings.models and self._model(phase) not in self._settings.models:
            found.append(
                ("model", f"unknown model {phase.model[:64]!r}; expected one of: {', '.join(self._settings.models)}")
            )
        return found

    def run(self, work: Work) -> Output:
        if self._endpoint is None:
            from .endpoint import Endpoint

            self._endpoint = Endpoint(self._settings)
        asked = work.phase.parameters
        answer = self._endpoint.ask(self._request(work), work, as_json=_wants_json(asked))
        score = None
        if "score" in asked:
            try:
                score = score_of(answer.text, asked["score"])
            except ValueError as error:
                raise TaskError(f"the model's answer: {error}", tokens=answer.tokens, cost=answer.cost) from None
        return Output(text=answer.text, score=score, tokens=answer.tokens, cost=answer.cost)

    def close(self) -> None:
        self._library.close()
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.close()

    def _model(self, phase: PhaseView) -> str:
        return phase.model or self._settings.model

    def _request(self, work: Work) -> dict[str, Any]:
        """Returns the fields of a chat completion request."""
        asked = work.phase.parameters
        limit = self._settings.max_prompt_chars
        prompt = parsed(asked.get("prompt", "{{input}}")).fill(work, limit)
        if work.phase.use_rag:
            prompt = with_passages(self._library.find(work.input), prompt)
        messages = [{"role": "user", "content": prompt}]
        if "system" in asked:
            messages.insert(0, {"role": "system", "content": parsed(asked["system"]).fill(work, limit)})
        request: dict[str, Any] = {"model": self._model(work.phase), "messages": messages}
        if "temperature" in asked:
            request["temperature"] = float(asked["temperature"])
        if "max_tokens" in asked:
            request["max_tokens"] = int(asked["max_tokens"])
        if asked.get("format") == "json":
            request["response_format"] = {"type": "json_object"}
        return request


def with_passages(passages: list[Passage], prompt: str) -> str:
    """Returns a prompt preceded by passages, numbered, each with its file."""
    if not passages:
        return prompt
    listed = [f"[{place}] {passage.source}\n{passage.text}" for place, passage in enumerate(passages, 1)]
    return "\n\n".join(("Passages that may help:", *listed, prompt))


def score_of(text: str, pointer: str) -> float:
    """Returns the number at a JSON pointer (RFC 6901) of an answer. Raises ValueError if there is none in 0..1."""
    try:
        value = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON, so it has no score") from None
    for name in _steps(pointer):
        try:
            value = value[int(name) if isinstance(value, list) else name]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"it has nothing at {pointer[:64]!r}") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"the value at {pointer[:64]!r} is not a number from 0 to 1")
    return float(value)


def _steps(pointer: str) -> list[str]:
    if not pointer.startswith("/"):
        raise ValueError(f"must be a JSON pointer such as /score, not {pointer[:64]!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _wants_json(asked: Mapping[str, str]) -> bool:
    return asked.get("format") == "json"


def _kinds(phase: PhaseView) -> dict[str, Kind]:
    return {
        "prompt": template_kind(phase),
        "system": template_kind(phase),
        "temperature": number(0, 2),
        "max_tokens": whole(1, 10_000_000),
        "format": one_of(_FORMATS),
        "score": _steps,
    }


def create(tasks: Mapping[str, Any]) -> Generate:
    """Make llm.generate. Raises ValueError for invalid settings."""
    return Generate(table(tasks, "llm.generate", LlmSettings), table(tasks, "rag", RagSettings))
