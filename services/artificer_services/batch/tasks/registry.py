"""Loads the task types that packages offer by entry points.

Wraps plugins that import nothing from here, so that they behave like built-in tasks. Runs no task.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from diptych.settings.errors import Fault, SettingError, expected

from ...kit.task_tables import PLACE, SERVICES
from ..settings import BatchSettings
from .api import GROUP, Output, PhaseView, Rejected, Task, TaskError, Work
from .inputs import Documents

_log = logging.getLogger(__name__)

_TRIAL = EntryPoint("test.trial", "artificer_services.batch.tasks.trial:trial", GROUP)
_SHARED = {"root", "max_document_bytes", *SERVICES}


def load(settings: BatchSettings) -> dict[str, Task]:
    """Returns the task types by name, sorted. A plugin that fails to load is logged and skipped.

    Raises ValueError if two have one name, and for invalid settings of a task type, so that the start fails and not
    an item.
    """
    Documents(settings.tasks)
    found = [*entry_points(group=GROUP), *([_TRIAL] if settings.trial_tasks else [])]
    twice = [name for name, count in Counter(point.name for point in found).items() if count > 1]
    if twice:
        points = ", ".join(f"{point.name} = {point.value}" for point in found if point.name in twice)
        raise ValueError(f"duplicate task types: {points}")
    tasks: dict[str, Task] = {}
    for point in sorted(found, key=lambda point: point.name):
        task = _load(point, settings.tasks)
        if task is not None:
            tasks[task.name] = task
    _check_tables(settings.tasks, found)
    return tasks


def _check_tables(tables: Mapping[str, Any], points: Collection[EntryPoint]) -> None:
    """Raises `SettingError` for tables that belong to no task type, not even to one that could not be loaded."""
    names = {point.name for point in points}
    whole = {form for name in names for form in (name, name.replace(".", "_"))} | _SHARED
    groups = {name.partition(".")[0] for name in names} - whole
    # In a group, which is what TOML makes of an unquoted name with a dot, the rest of the name is a key of its own.
    given = [key for key in tables if key not in groups or not isinstance(tables[key], Mapping)]
    # A plugin may read more of its group than tables.
    foreign = {point.name.partition(".")[0] for point in points if not point.value.startswith("artificer_services.")}
    given += [
        f"{group}.{key}"
        for group in groups & tables.keys()
        if isinstance(tables[group], Mapping)
        for key, value in tables[group].items()
        if isinstance(value, Mapping) or group not in foreign
    ]
    if strange := sorted(set(given) - whole - groups):
        text = "there is no such task type"
        raise SettingError(*(Fault(f"{PLACE}.{key}", text + expected(key, {*names, *_SHARED})) for key in strange))


def _load(point: EntryPoint, settings: Mapping[str, Any]) -> Task | None:
    try:
        factory = point.load()
    except Exception:
        _log.exception("cannot load the task type %s (%s); it is skipped", point.name, point.value)
        return None
    try:
        task = LoadedTask(factory(settings))
        if task.name != point.name:
            raise TypeError(f"its name is {task.name!r}")
    except SettingError:
        raise
    except ValueError as error:
        raise ValueError(f"the settings of the task type {point.name}: {error}") from error
    except Exception:
        _log.exception("cannot create the task type %s (%s); it is skipped", point.name, point.value)
        return None
    return task


class LoadedTask:
    """A task of any package, with outputs and errors converted to those of `api`."""

    def __init__(self, task: Any) -> None:
        """Raises TypeError for an object that is not a task."""
        for name in ("check", "run", "close"):
            if not callable(getattr(task, name, None)):
                raise TypeError(f"{type(task).__name__} has no method {name}")
        self._task = task
        self.name: str = str(task.name) if hasattr(task, "name") else ""
        self.description: str = str(getattr(task, "description", ""))
        self.scored: bool = bool(getattr(task, "scored", False))
        self.takes: Literal["text", "document"] = "document" if getattr(task, "takes", "text") == "document" else "text"
        timeout = getattr(task, "timeout", None)
        self.timeout: float | None = None if timeout is None else float(timeout)

    def check(self, phase: PhaseView) -> list[tuple[str, str]]:
        return list(self._task.check(phase))

    def run(self, work: Work) -> Output:
        try:
            result = self._task.run(work)
        except TaskError:
            raise
        except Exception as error:
            converted = _task_error(error)
            if converted is None:
                raise
            raise converted from error
        return result if isinstance(result, Output) else _output(result)

    def close(self) -> None:
        self._task.close()


def _task_error(error: Exception) -> TaskError | None:
    """Converts an error that has the attributes of a TaskError; None for any other."""
    message, final = getattr(error, "message", None), getattr(error, "final", None)
    if not isinstance(message, str) or not isinstance(final, bool):
        return None
    tokens, cost = getattr(error, "tokens", 0), getattr(error, "cost", 0.0)
    return (Rejected if final else TaskError)(message, tokens=tokens, cost=cost)


def _output(result: Any) -> Output:
    text = getattr(result, "text", result)
    if not isinstance(text, str):
        raise TypeError(f"the task returned {type(result).__name__}; expected text")
    return Output(
        text=text,
        score=getattr(result, "score", None),
        tokens=getattr(result, "tokens", 0),
        cost=getattr(result, "cost", 0.0),
    )
