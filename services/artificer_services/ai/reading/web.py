"""Reads `https:` URLs of configured hosts, and keeps a request from reaching what only this server can reach (SSRF).

A URL's origin must be one of the settings. Its name is resolved once, all its addresses must be public unless the
settings say otherwise, and the connection goes to an address that was checked: a name that changes afterwards has no
effect. Redirects stay within the origin.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

import httpx2

from ...kit.errors import Fault, Invalid, NotFound
from .addresses import is_public
from .errors import FetchFailed, FetchTimeout
from .origins import Origin, origin_of
from .settings import ReadingSettings
from .values import Asset

_ALLOWED = "services.ai.reading.hosts"
_REDIRECTS = 3
_REDIRECTED = frozenset({301, 302, 303, 307, 308})
_MISSING = frozenset({404, 410})

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host. Raises OSError."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Returns the addresses that the system's resolver has for a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class WebSource:
    """URLs of the hosts in the settings."""

    def __init__(self, settings: ReadingSettings, find: Resolve = resolve) -> None:
        self._private = frozenset(_origins(settings.private_hosts))
        self._origins = frozenset(_origins(settings.hosts)) | self._private
        self._limit, self._seconds, self._find = settings.max_asset_bytes, settings.fetch_seconds, find
        self._tls: ssl.SSLContext | None = None

    async def read(self, url: str) -> Asset:
        """Returns what a URL gives. Raises Invalid, NotFound, FetchFailed, FetchTimeout."""
        if not self._origins:
            raise Invalid(Fault("uri", f"this server reads no https: URIs; its setting {_ALLOWED} allows hosts"))
        origin = self._allowed(url)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._fetch(url, origin)
        except TimeoutError:
            raise FetchTimeout(f"the URI's host did not deliver the asset within {self._seconds:g} seconds") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise FetchFailed(f"the asset cannot be fetched from the URI's host: {type(error).__name__}") from None

    def _allowed(self, url: str) -> Origin:
        origin = origin_of(url)
        if origin is None:
            raise Invalid(Fault("uri", "must be an http: or https: URL with a host, without a user and a password"))
        if origin not in self._origins:
            raise Invalid(Fault("uri", f"its host is none of those that the server's setting {_ALLOWED} allows"))
        return origin

    async def _fetch(self, url: str, origin: Origin) -> Asset:
        # A client of its own: no cookies, no proxy of the environment, and no connection to an address that was
        # checked for another request.
        async with httpx2.AsyncClient(verify=await self._context(), trust_env=False, timeout=self._seconds) as client:
            for _ in range(_REDIRECTS + 1):
                answer = await self._once(client, httpx2.URL(url), origin)
                if not isinstance(answer, str):
                    return answer
                url = answer
                if origin_of(url) != origin:
                    raise Invalid(Fault("uri", "the URI's host redirects to another host, which is not followed"))
        raise Invalid(Fault("uri", f"the URI's host redirects more than {_REDIRECTS} times"))

    async def _once(self, client: httpx2.AsyncClient, url: httpx2.URL, origin: Origin) -> Asset | str:
        """Returns the answer to one request, or the URL that it redirects to."""
        address = await self._address(origin)
        headers = {"host": url.netloc.decode("ascii"), "accept-encoding": "identity"}
        request = client.build_request(
            "GET", url.copy_with(host=address), headers=headers, extensions={"sni_hostname": origin.host}
        )
        response = await client.send(request, stream=True)
        try:
            if response.status_code in _REDIRECTED:
                return str(url.join(response.headers.get("location", "")))
            self._check(response)
            data = bytearray()
            async for piece in response.aiter_raw():
                data += piece
                if len(data) > self._limit:
                    raise self._too_large()
        finally:
            await response.aclose()
        name = url.path.rpartition("/")[2]
        return Asset(data=bytes(data), content_type=response.headers.get("content-type", "")[:255], filename=name[:255])

    async def _address(self, origin: Origin) -> str:
        try:
            addresses = await self._find(origin.host, origin.port)
        except OSError:
            addresses = ()
        if not addresses:
            raise FetchFailed("the URI's host has no address")
        if origin not in self._private and not all(map(is_public, addresses)):
            setting = "services.ai.reading.private_hosts"
            text = f"its host has an address of a private network; the server's setting {setting} allows such hosts"
            raise Invalid(Fault("uri", text))
        return addresses[0]

    def _check(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status in _MISSING:
            raise NotFound(f"the URI's host answers {status}")
        if status >= 500 or status == 429:
            raise FetchFailed(f"the URI's host answers {status}")
        if status != 200:
            raise Invalid(Fault("uri", f"the URI's host answers {status}"))
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Invalid(Fault("uri", "the URI's host answers with a compressed body, which was not asked for"))
        if int(response.headers.get("content-length", "0")) > self._limit:
            raise self._too_large()

    def _too_large(self) -> Invalid:
        return Invalid(Fault("uri", f"the asset is larger than {self._limit:,} bytes, the limit"))

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:  # it reads the certificates of all authorities: 20 ms
            self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
        return self._tls


def _origins(hosts: Sequence[str]) -> list[Origin]:
    found = [origin_of(host if "://" in host else f"https://{host}") for host in hosts]
    return [one for one in found if one is not None]
