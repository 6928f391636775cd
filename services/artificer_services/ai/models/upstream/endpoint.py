"""The server of a model: requests over persistent connections, with time-outs, retries and a circuit breaker.

Knows neither chats nor vectors; `chat` and `embeddings` send their requests by it. A request is retried only until its
caller has got something of the answer.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar

import httpx2
import orjson

from diptych.outages import OutageLog
from diptych.upstream import Upstream, UpstreamRefused

from ..errors import Unavailable
from ..settings import UpstreamLink
from .body import Body, TooLarge
from .failures import Failed, Failures

_log = logging.getLogger(__name__)
# It logs each request at INFO with its URL, whose query is a key for some servers.
logging.getLogger("httpx2").setLevel(logging.WARNING)

T = TypeVar("T")

_FIRST_SECONDS = 0.5  # before the first retry; doubled for every further one
_LONGEST_SECONDS = 10.0  # a caller waits for a retry; a server that asks for more is left to the caller
_ERROR_BYTES = 64 * 1024  # of an answer with an error that are read
_WHOLE_BYTES = 256 * 1024  # of JSON that are parsed in the event loop; a larger answer is parsed in a thread


class Endpoint:
    """The server of the model `name` of the settings. Opens nothing before the first request.

    Belongs to one event loop. `breaker` is also a metrics collector.
    """

    def __init__(self, name: str, link: UpstreamLink, *, label: str = "") -> None:
        """`label` names the server in the metrics of the breaker, instead of the model's name."""
        self.failures = Failures(name, link.api_key, httpx2.URL(link.base_url).netloc.decode())
        self._link = link
        self._client: httpx2.AsyncClient | None = None
        self._outages = OutageLog(_log, f"the model {name!r}")
        self._lingering: set[asyncio.Task[None]] = set()
        self._running: set[Body] = set()
        self._stopped = False
        self.breaker = Upstream(
            self.failures.server,
            failures=link.breaker_failures,
            rest_seconds=link.breaker_seconds,
            failed=lambda error: isinstance(error, Failed) and error.counts,
            label=label or name,
        )

    async def retried(self, work: Callable[[], Awaitable[T]]) -> T:
        """Returns what `work` returns, which raises Failed. Raises the error of its last failure."""
        attempt = 0
        while True:
            try:
                found = await self.breaker.call(work)
            except UpstreamRefused as refused:
                error = Unavailable(refused.status.message)
                error.retry_seconds = refused.retry_seconds
                raise error from None
            except Failed as failed:
                self.note(failed)
                wait = self._wait(attempt, failed)
                if wait is None:
                    raise failed.error from None  # a cause would be logged, and contains the request with its key
            else:
                if self._outages.lasting:
                    self._outages.recovered()
                return found
            attempt += 1
            await asyncio.sleep(wait)

    def note(self, failed: Failed) -> None:
        """Log a failure that the server or the network is to blame for; lasting ones once."""
        if failed.counts:
            self._outages.failed(failed)

    async def post(self, path: str, request: dict[str, Any], deadline: float) -> httpx2.Response:
        """Returns the head of an answer with status 200, whose body must be read by `body`. Raises Failed.

        `deadline` is the loop's time by which it must arrive.
        """
        content = orjson.dumps(request)
        client = await self._connected()
        message = client.build_request("POST", self._url(path), content=content)
        try:
            async with asyncio.timeout_at(deadline):
                response = await client.send(message, stream=True)
        except httpx2.TimeoutException as error:  # of connecting
            raise self.failures.connection(error) from None
        except TimeoutError:
            raise self.failures.late("did not begin its answer", self._link.timeout) from None
        except (httpx2.HTTPError, OSError) as error:
            raise self.failures.connection(error) from None
        if response.status_code == 200:
            return response
        body = self.body(response, _ERROR_BYTES)
        try:
            async with asyncio.timeout_at(deadline):
                text = await body.rest()
        except (httpx2.HTTPError, OSError, TooLarge, TimeoutError):
            text = b""
        finally:
            await self.close(body)
        raise self.failures.of_status(response.status_code, response.headers, text)

    def body(self, response: httpx2.Response, most: int) -> Body:
        """Returns the body of a response, which must be closed or released by this endpoint."""
        found = Body(response, most)
        self._running.add(found)
        return found

    async def close(self, body: Body) -> None:
        """Close the connection of an answer, so that its server stops at once."""
        self._running.discard(body)
        await body.close()

    def release(self, body: Body) -> None:
        """Keep the connection of an answer that is complete."""
        self._running.discard(body)
        task = body.release()
        if not task.done():
            self._lingering.add(task)
            task.add_done_callback(self._lingering.discard)

    @property
    def stopped(self) -> bool:
        """Whether `stop` ended the running answers."""
        return self._stopped

    async def stop(self) -> None:
        """Close all connections. Running answers end as if the server had closed them."""
        self._stopped = True
        for task in self._lingering:
            task.cancel()
        for body in list(self._running):
            await self.close(body)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _connected(self) -> httpx2.AsyncClient:
        if self._client is None and self._link.base_url.startswith("https:"):
            context = await asyncio.to_thread(httpx2.create_ssl_context)  # it reads files for a tenth of a second
        else:
            context = None
        if self._stopped:
            raise stopping()
        if self._client is None:
            link = self._link
            headers = {"content-type": "application/json", "accept-encoding": "identity"}
            if link.api_key:
                headers["authorization"] = f"Bearer {link.api_key}"
            # Only connecting has a time-out of httpx2's own: it limits each read, and a server that only sends
            # comments must not keep a caller waiting. `models` limits how many requests run.
            self._client = httpx2.AsyncClient(
                headers=headers,
                verify=context or False,  # http: needs none
                timeout=httpx2.Timeout(None, connect=link.connect_timeout),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # callers share the client
            )
        return self._client

    def _url(self, path: str) -> httpx2.URL:
        base = httpx2.URL(self._link.base_url)
        return base.copy_with(path=base.path.rstrip("/") + path)  # some servers need a query, such as api-version

    def _wait(self, attempt: int, failed: Failed) -> float | None:
        """Returns the seconds until the next attempt; None if there is none."""
        after = failed.after
        if not failed.again or attempt >= self._link.retries or (after is not None and after > _LONGEST_SECONDS):
            return None
        # Jitter, so that many requests that failed at once do not retry at once.
        backoff = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311, no secret
        return max(backoff, after or 0.0)


def stopping() -> Failed:
    """Returns the failure of requests that `stop` ends."""
    return Failed(Unavailable("the server is stopping"), counts=False)


async def parsed(body: bytes) -> Any:
    """Returns the JSON values of an answer. Raises ValueError."""
    return orjson.loads(body) if len(body) <= _WHOLE_BYTES else await asyncio.to_thread(orjson.loads, body)
