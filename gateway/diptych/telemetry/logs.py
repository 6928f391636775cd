"""One format for every log line of the process: the gateway's, grpcio's and the services'.

Either a JSON object per line, or readable text. Only `cli` configures it: a gateway built in code leaves logging alone.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from json import dumps as escaped
from typing import Any, TextIO

import orjson
import structlog
from structlog.types import EventDict, Processor

from ..settings.telemetry import TelemetrySettings
from .access import LOGGER, AccessHandler

_EVENT = "call"


def configure(settings: TelemetrySettings, level: str, stream: TextIO | None = None) -> None:
    """Configures the process's logging, and replaces an earlier configuration. `stream` defaults to standard error."""
    stream = stream or sys.stderr
    json = settings.log_format == "json" or (settings.log_format == "auto" and not stream.isatty())
    before = _before(settings.worker)
    # The renderer's default tracebacks show the variables of every frame, which include requests and tokens.
    people = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )
    last: Processor = _Json() if json else people
    exceptions: list[Processor] = [structlog.processors.format_exc_info] if json else []
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, last],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    access = logging.getLogger(LOGGER)
    access.handlers = [_AccessLines(handler, settings.worker, json=json)]
    access.propagate = False


def _before(worker: str) -> list[Processor]:
    """Returns the processors that every line passes, of structlog's loggers and of `logging`'s."""

    def named(_: Any, __: str, event: EventDict) -> EventDict:
        event["worker"] = worker
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
        *([named] if worker else []),
    ]


class _Json:
    """Renders a line as JSON, with time, level, logger and event first."""

    def __call__(self, _: Any, __: str, event: EventDict) -> str:
        first = {name: event.pop(name) for name in ("timestamp", "level", "logger", "event") if name in event}
        line = {**first, **event}
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:  # a lone surrogate, or a number of more than 64 bits
            return escaped(line, default=str, skipkeys=True, separators=(",", ":"))


class _AccessLines(AccessHandler):
    """Writes the access log's lines without `logging` records, each of which would cost as much as a small call."""

    def __init__(self, beside: logging.StreamHandler[TextIO], worker: str, *, json: bool) -> None:
        super().__init__()
        self._beside, self._json, self._worker = beside, json, {"worker": worker} if worker else {}

    def write(self, lines: list[tuple[float, dict[str, Any]]]) -> None:
        if self._json:
            text = b"".join([self._object(at, fields) for at, fields in lines]).decode()
        else:
            text = "".join([self._text(at, fields) for at, fields in lines])
        with self._beside.lock:  # type: ignore[union-attr]  # every handler of a stream has one
            try:
                self._beside.stream.write(text)
            except UnicodeEncodeError:  # one line must not cost the others
                self._beside.stream.write(text.encode("ascii", "backslashreplace").decode())
            self._beside.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record that other code logged under this name."""
        self._beside.handle(record)

    def _object(self, at: float, fields: dict[str, Any]) -> bytes:
        if self._worker:
            fields |= self._worker
        try:
            text = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # the id of a user's own principal: another type, or a lone surrogate
            text = escaped(fields, default=str, separators=(",", ":")).encode() + b"\n"
        return _beginning(int(at * 1000)) + text[1:]

    def _text(self, at: float, fields: dict[str, Any]) -> str:
        rest = {name: value for name, value in fields.items() if name not in _SHOWN and value not in ("", None)}
        shown = " ".join(f"{name}={_plain(value)}" for name, value in {**rest, **self._worker}.items())
        name = f"{_plain(fields['service'])}/{_plain(fields['method'])}"
        time = _time(int(at * 1000))
        head = f"{time} [{_EVENT:<9}] {fields['protocol']:<9} {fields['code']:<17} {fields['duration_ms']:>9.3f} ms"
        return f"{head} {name} {shown}\n"


_SHOWN = frozenset(("protocol", "service", "method", "code", "duration_ms"))


def _plain(value: Any) -> str:
    """Returns a value on one line: a client's text must not forge log lines or send terminal escapes."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text else repr(text)


# Many calls end in the same millisecond, and to format a time takes longer than to print a line.
@lru_cache(maxsize=64)
def _beginning(milliseconds: int) -> bytes:
    """Returns a JSON line of the access log up to the call's first member."""
    head = {"timestamp": _time(milliseconds), "level": "info", "logger": LOGGER, "event": _EVENT}
    return orjson.dumps(head)[:-1] + b","


def _time(milliseconds: int) -> str:
    second, rest = divmod(milliseconds, 1000)
    return f"{_second(second)}.{rest:03d}Z"


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
