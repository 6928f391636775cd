"""What a failed request to a model's server means: the error for the caller, and whether a retry may help.

Pure. Texts of the server are made safe: they must not tell callers a key, an address or an account of the operator.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import orjson

from ....kit.errors import ServiceError
from ..errors import Broken, PromptTooLong, Refused, TimedOut, Unavailable, UpstreamExhausted

_SHOWN = 300  # characters of the server's message
_AGAIN = frozenset({408, 409, 429})  # the 4xx that are retried: time-out, conflict, rate limit
_QUOTA = "insufficient_quota"  # OpenAI's 429 for an account without money, which no retry changes
_QUOTA_SECONDS = 60.0
_LONGEST_SECONDS = 366 * 86_400.0  # passed on; servers may name any number, and RetryInfo holds 10,000 years
_SECRETS = (
    re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>)]+", re.IGNORECASE),
    re.compile(r"\b(?:sk|org|proj|key|gsk|xai|hf)[-_][A-Za-z0-9*_-]{4,}"),  # keys and accounts of the usual providers
    re.compile(r"\bBearer\s+\S+", re.IGNORECASE),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"),
)
_LONG_PROMPT = re.compile(
    r"context[ _](?:length|window|size)|maximum context|too many tokens|prompt is too long|exceeds? .{0,40}context",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[A-Za-z_][\w.\[\]]{0,63}")


class Failed(Exception):
    """A request failed. `error` is for the caller, `told` for the log.

    `counts` is whether the server or the network is at fault, and `again` whether a retry may help, not before `after`
    seconds if the server says so.
    """

    def __init__(
        self,
        error: ServiceError,
        told: str = "",
        *,
        counts: bool = True,
        again: bool = False,
        after: float | None = None,
    ) -> None:
        super().__init__(told or error.message)
        self.error, self.counts, self.again, self.after = error, counts, again, after


class Failures:
    """Makes the failures of one model; neither `key` nor `address` (host and port) appear in a text."""

    def __init__(self, name: str, key: str, address: str) -> None:
        self.server = f"the server of the model {name!r}"
        host = address.partition(":")[0]
        # A host of one word, such as "ollama", may stand in a text with another meaning.
        self._secrets = [text for text in (key, address, host if "." in host else "") if text]

    def of_status(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """Returns the failure for an answer with a status other than 200."""
        server, after = self.server, retry_after(headers)
        message, code, param = _error(body)
        text = self.safe(message)
        told = f"it answered {status}" + (f": {text}" if text else "")
        if status == 429:
            lasting = code == _QUOTA
            seconds = after if after is not None else _QUOTA_SECONDS if lasting else None
            error: ServiceError = UpstreamExhausted(
                f"{server} accepts no more requests now; retry later", 1.0 if seconds is None else seconds
            )
            return Failed(error, told, counts=False, again=not lasting, after=after)
        if status >= 500 or status in _AGAIN:
            return Failed(self.unavailable(f"{server} answered {status}", after), told, again=True, after=after)
        if status in (401, 403):
            return Failed(Broken(f"{server} refuses the credentials that this server has for it"), told)
        if status < 400 or status in (404, 405):
            # The base URL or the model's name in the settings is wrong, whatever the caller does.
            return Failed(Broken(f"{server} does not serve it at the configured URL by its configured name"), told)
        return Failed(_refusal(status, code, param, text or _phrase(status)), told, counts=False)

    def of_error(self, body: Any) -> Failed:
        """Returns the failure for an error in a stream that had begun with status 200."""
        message, code, param = _error(body)
        text = self.safe(message)
        status = code if isinstance(code, int) else 0
        if 400 <= status < 500 and status not in (*_AGAIN, 401, 403, 404, 405):
            return Failed(_refusal(status, code, param, text or _phrase(status)), text, counts=False)
        told = f"it reported an error: {text}"
        if status == 429:
            return Failed(UpstreamExhausted(f"{self.server} accepts no more requests now; retry later", 1.0), told)
        return Failed(Broken(f"{self.server} reported an error in its answer"), told)

    def connection(self, error: BaseException) -> Failed:
        """Returns the failure for a connection that could not be made, or that broke."""
        told = f"the connection failed: {type(error).__name__}: {self.safe(str(error))}"
        return Failed(self.unavailable(f"{self.server} cannot be reached", None), told, again=True)

    def late(self, text: str, seconds: float) -> Failed:
        """Returns the failure for an answer that took too long; `text` says what the server did not do."""
        return Failed(TimedOut(f"{self.server} {text} within {seconds:g} seconds"))

    def broken(self, text: str) -> Failed:
        """Returns the failure for an answer that is not what the protocol says."""
        return Failed(Broken(f"{self.server} answered with something else than OpenAI's protocol says: {text}"))

    def unavailable(self, text: str, after: float | None) -> Unavailable:
        """Returns the error with the seconds after which the server wants a retry."""
        error = Unavailable(text)
        if after is not None:
            error.retry_seconds = after
        return error

    def safe(self, text: str) -> str:
        """Returns a text on one line, cut, and without secrets and addresses."""
        text = " ".join(text.split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        for pattern in _SECRETS:
            text = pattern.sub("***", text)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _refusal(status: int, code: Any, param: Any, text: str) -> ServiceError:
    if status == 413 or code == "context_length_exceeded" or _LONG_PROMPT.search(text):
        return PromptTooLong(text)
    field = param if isinstance(param, str) and _FIELD.fullmatch(param) else ""
    return Refused(field, f"the model refuses the request: {text}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


def _error(body: Any) -> tuple[str, Any, Any]:
    """Returns message, code and parameter of an error body in one of the usual forms."""
    if isinstance(body, bytes):
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError:
            return "", None, None  # a page of HTML by a proxy says nothing to callers
    code = param = None
    for _ in range(3):  # {"error": {"message": …}}, {"detail": …}, {"message": …}
        if not isinstance(body, dict):
            break
        code, param = body.get("code", code), body.get("param", param)
        body = body.get("error") or body.get("message") or body.get("detail") or ""
    return body if isinstance(body, str) else "", code, param


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the seconds in Retry-After (RFC 9110, section 10.2.3: a number, or a date by the server's clock)."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (_date(text) - _date(headers.get("date", ""))).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), _LONGEST_SECONDS) if math.isfinite(seconds) else None


def _date(text: str) -> datetime:
    when = parsedate_to_datetime(text) if text else datetime.now(UTC)
    return when.replace(tzinfo=when.tzinfo or UTC)
