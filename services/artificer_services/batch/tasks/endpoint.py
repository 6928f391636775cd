"""A client of an endpoint with OpenAI's protocol: time-outs, retries, validation of answers.

Counts tokens and cost, and keeps the key out of every message. Knows no prompts and no jobs.
"""

from __future__ import annotations

import json
import logging
import math
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai

from .api import Rejected, TaskError, Work
from .llm_settings import LlmSettings

_CONNECT_SECONDS = 10.0
_AGAIN = frozenset({408, 409, 429})  # the 4xx that are retried: time-out, conflict, rate limit
_SHOWN = 300  # characters of the endpoint's message
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A model's answer, with the tokens and the cost (US dollars) of all requests for it."""

    text: str
    tokens: int
    cost: float


class _Failed(Exception):
    """A request failed and may be retried, `after` seconds if the endpoint says so."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.message, self.after = message, after


class Endpoint:
    """The endpoint, over persistent connections."""

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        # Retries are made here: they end when the job is cancelled, and are written to its log.
        self._client = openai.OpenAI(
            base_url=settings.base_url,
            api_key=settings.api_key or "none",  # the client requires one; private endpoints often need none
            timeout=httpx2.Timeout(settings.timeout, connect=min(_CONNECT_SECONDS, settings.timeout)),
            max_retries=0,
        )
        # The client reads these from the environment, which only the edge of a program should do.
        self._client.organization = self._client.project = None

    def ask(self, request: dict[str, Any], work: Work, *, as_json: bool) -> Answer:
        """Request a chat completion, with retries. Raises TaskError, and Rejected if no retry can help."""
        account = _Account(self._settings, str(request["model"]))
        for attempt in range(self._settings.retries + 1):
            try:
                text = self._once(request, work, account, as_json=as_json)
                return Answer(text=text, tokens=account.tokens, cost=account.cost)
            except _Failed as error:
                message = self._safe(error.message)
                wait = self._wait(attempt, error.after)
                if attempt == self._settings.retries or wait is None:
                    break
                work.log(logging.WARNING, f"{message}; retrying in {wait:.1f} s")
                if work.cancelled.wait(wait):
                    message = "the job was cancelled"
                    break
            except Rejected as error:
                raise Rejected(self._safe(error.message), tokens=account.tokens, cost=account.cost) from None
        raise TaskError(message, tokens=account.tokens, cost=account.cost)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _once(self, request: dict[str, Any], work: Work, account: _Account, *, as_json: bool) -> str:
        # `from None` throughout: a chained cause would be logged, and it contains the request with its key.
        try:
            body = self._send(request, work)
        except openai.APIStatusError as error:
            reason = f"the endpoint answered {error.status_code}{_error_text(error.body)}"
            if error.status_code < 500 and error.status_code not in _AGAIN:
                raise Rejected(reason) from None
            raise _Failed(reason, _retry_after(error.response.headers)) from None
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise _Failed(f"the endpoint did not answer within {self._settings.timeout:g} seconds") from None
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            kind = type(error.__cause__ or error).__name__
            raise _Failed(f"the connection to the endpoint failed: {kind}") from None
        return _content(_parsed(body), work, account, as_json=as_json)

    def _send(self, request: dict[str, Any], work: Work) -> bytes:
        """Returns the bytes of an answer within the time-out; the client's own time-out is per read."""
        end = time.monotonic() + self._settings.timeout
        body = bytearray()
        with self._client.chat.completions.with_streaming_response.create(**request) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > self._settings.max_answer_bytes:
                    raise Rejected(f"the endpoint's answer is larger than {self._settings.max_answer_bytes:,} bytes")
                if time.monotonic() > end:
                    raise _Failed(f"the endpoint did not answer within {self._settings.timeout:g} seconds")
                if work.cancelled.is_set():
                    raise _Failed("the job was cancelled")
        return bytes(body)

    def _wait(self, attempt: int, retry_after: float | None) -> float | None:
        """Returns the seconds until the next request; None if the endpoint asks for more than the settings allow."""
        if retry_after is not None and retry_after > self._settings.retry_longest_seconds:
            return None
        first, longest = self._settings.retry_first_seconds, self._settings.retry_longest_seconds
        # Jitter, so that many workers that failed at once do not retry at once.
        backoff = min(longest, first * 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        return max(backoff, retry_after or 0.0)

    def _safe(self, message: str) -> str:
        """Returns a message without the key, which endpoints may echo."""
        key = self._settings.api_key
        return message.replace(key, "***") if key else message


class _Account:
    """The tokens and the cost of one item, over all answered requests."""

    def __init__(self, settings: LlmSettings, model: str) -> None:
        self._price = settings.prices.get(model)
        self.tokens, self.cost = 0, 0.0

    def add(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        prompt_tokens, completion_tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        self.tokens += max(prompt_tokens + completion_tokens, _count(usage.get("total_tokens")))
        if self._price is not None:
            self.cost += (prompt_tokens * self._price.input + completion_tokens * self._price.output) / _MILLION


def _content(answer: dict[str, Any], work: Work, account: _Account, *, as_json: bool) -> str:
    """Returns the model's text in an answer, after validating it."""
    account.add(answer.get("usage"))
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _Failed(f"the endpoint's answer has no choices{_error_text(answer.get('error'))}")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise _Failed("the endpoint's answer has no message")
    refusal, reason = message.get("refusal"), choices[0].get("finish_reason")
    if refusal:
        raise Rejected(f"the model refused: {str(refusal)[:_SHOWN]}")
    if reason == "content_filter":
        raise Rejected("the endpoint's content filter withheld the answer")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise _Failed("the model's answer is empty")
    if reason == "length":
        work.log(logging.WARNING, "the answer is truncated: the model reached its token limit")
    if as_json:
        _check_json(text, cut=reason == "length")
    return text


def _check_json(text: str, *, cut: bool) -> None:
    try:
        json.loads(text)
    except ValueError:
        if cut:  # a retry would be truncated too
            raise Rejected("the model's answer is not JSON: it is truncated at the token limit") from None
        raise _Failed("the model's answer is not JSON") from None


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise _Failed("the endpoint's answer is not JSON") from None
    if not isinstance(answer, dict):
        raise _Failed("the endpoint's answer is not a JSON object")
    return answer


def _error_text(body: Any) -> str:
    """Returns the message in an error body, if it has one of the usual forms."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("error") or body.get("detail") or ""
    if isinstance(body, dict):
        body = body.get("message") or ""
    words = " ".join(str(body or "").split())[:_SHOWN]
    return f": {words}" if words else ""


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Returns the seconds in Retry-After (RFC 9110, section 10.2.3: a number, or a date by the endpoint's clock)."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (_date(text) - _date(headers.get("date", ""))).total_seconds()
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _date(text: str) -> datetime:
    when = parsedate_to_datetime(text) if text else datetime.now(UTC)
    return when.replace(tzinfo=when.tzinfo or UTC)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
