"""The settings of the task types, and errors for settings that have moved.

Imports no model: the gateway reads these to check jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...kit.settings import check_not_negative, check_positive, read_table
from ...kit.task_tables import PLACE, given, table
from ..models.settings import LocalChatSettings
from ..settings import AiSettings

WORKER_CONNECTIONS = 1
"""To PostgreSQL, of each task type that uses collections, in each worker process: llm.generate and rag.index."""

_CHAT = "services.ai.chat_models.NAME"
_MOVED = {
    "base_url": f'is {_CHAT}.base_url now, in a table with kind = "upstream"',
    "api_key": f"is {_CHAT}.api_key now",
    "timeout": f"is {_CHAT}.timeout now",
    "prices": f"is {_CHAT}.prices now, one table for each model",
    "model": "is services.ai.default_chat_model now",
    "models": "is gone: phases may name every model of services.ai.chat_models",
}
_FOLDER = ("folder", "suffixes", "passages", "passage_chars", "max_bytes", "refresh_seconds")
_NO_FOLDER = "is gone: index documents by rag.index, and name their collection in the parameter collection of use_rag"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """How often an item asks a model again within one attempt. Raises ValueError for invalid values."""

    retries: int = 2  # after errors of the model that may pass, and after unusable answers
    retry_first_seconds: float = 0.5  # doubled with every retry; half of it is random
    retry_longest_seconds: float = 30.0  # if the model asks for a longer pause, the item is retried instead

    def __post_init__(self) -> None:
        check_positive(self, "retry_first_seconds", "retry_longest_seconds")
        check_not_negative(self, "retries")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSettings(RetrySettings):
    """The limits of llm.generate. Raises ValueError for invalid values."""

    max_prompt_chars: int = 4 * 1024 * 1024  # of a filled template
    max_answer_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        RetrySettings.__post_init__(self)
        check_positive(self, "max_prompt_chars", "max_answer_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings(RetrySettings):
    """The limits of rag.index; documents have those of the AI services. Raises ValueError for invalid values."""

    max_text_chars: int = 10_000_000  # of a filled template

    def __post_init__(self) -> None:
        RetrySettings.__post_init__(self)
        check_positive(self, "max_text_chars")


def generate_settings(tasks: Mapping[str, Any]) -> GenerateSettings:
    """Returns the settings of llm.generate. Raises `SettingError`, also for settings that have moved."""
    _refuse("llm.generate", given(tasks, "llm.generate"), _MOVED)
    _refuse_folder(tasks)
    return table(tasks, "llm.generate", GenerateSettings)


def index_settings(tasks: Mapping[str, Any]) -> IndexSettings:
    """Returns the settings of rag.index. Raises `SettingError`, also for those of the folder of passages."""
    _refuse_folder(tasks)
    return table(tasks, "rag.index", IndexSettings)


def ai_settings(tasks: Mapping[str, Any]) -> AiSettings:
    """Returns the settings of the AI services for a process that runs one item at a time. Raises `SettingError`."""
    settings = read_table(tasks.get("ai", {}), "services.ai", AiSettings)
    models = {name: _for_one(model) for name, model in settings.chat_models.items()}
    library = replace(settings.library, database_connections=WORKER_CONNECTIONS)
    return replace(settings, chat_models=models, library=library)


def _for_one(model: Any) -> Any:
    """Returns a chat model's settings for one answer at a time, on one thread, since each processor has a worker."""
    if not isinstance(model, LocalChatSettings):
        return model
    return replace(model, concurrency=1, threads=model.threads or 1)


def _refuse_folder(tasks: Mapping[str, Any]) -> None:
    found = tasks.get("rag", {})
    if isinstance(found, Mapping):
        _refuse("rag", found, dict.fromkeys(_FOLDER, _NO_FOLDER))


def _refuse(place: str, values: Mapping[str, Any], moved: Mapping[str, str]) -> None:
    """Raise `SettingError` for settings that have moved; the error says where each has gone."""
    from diptych.settings.errors import Fault, SettingError

    if faults := [Fault(f"{PLACE}.{place}.{name}", moved[name]) for name in values if name in moved]:
        raise SettingError(*faults)
