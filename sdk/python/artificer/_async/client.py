"""The asynchronous client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .._attempt import Headers, Reply
from .._method import Kind
from .._options import DEFAULT_TIMEOUT, CallOptions, CallRecord, ClientOptions, TransportName
from .api.root import AsyncRoot
from .transport import AsyncTransport

if TYPE_CHECKING:
    from typing import Self, Unpack


class AsyncArtificer(AsyncRoot):
    """A client of a gateway with Artificer's services, by REST or by gRPC, with the same results.

    One client serves a whole program: it keeps its connections. Close it, or use it as a context manager.

    Args:
        api_key: An API key; `ARTIFICER_API_KEY` by default.
        token: A bearer token; `ARTIFICER_TOKEN` by default.
        base_url: The gateway's HTTP address, for REST; `ARTIFICER_BASE_URL`, else http://127.0.0.1:8080.
        target: The gateway's gRPC address, for gRPC; `ARTIFICER_TARGET`, else 127.0.0.1:50051.
        transport: "rest" or "grpc".
        timeout: Seconds that a call without a stream may take, its repetitions included. None means no limit.
        max_retries: Further attempts of a call that failed and may be repeated.
        headers: Headers (gRPC: metadata) of every call.
        ca: A file of the certificate authorities to trust, instead of the system's.
        cert: A file with the client's certificate, for mutual TLS.
        key: A file with the certificate's key, if it is not in the same file.
        proxy: The URL of an HTTP proxy; over REST the environment's by default. gRPC reads `https_proxy` itself.
        max_connections: Connections to the gateway at once, over REST. A stream has one for itself; those of calls both
            ways do not count.
        allow_insecure: Whether credentials may go unencrypted to other machines.
        on_call: Called with a CallRecord after each attempt of a call, for logs and metrics.

    Raises:
        ValueError: The options contradict each other, cannot be used, or would send credentials unencrypted.
        OSError: A file of `ca`, `cert` or `key` cannot be read.
    """

    def __init__(
        self,
        *,
        api_key: str = "",
        token: str = "",
        base_url: str = "",
        target: str = "",
        transport: TransportName = "rest",
        timeout: float | None = DEFAULT_TIMEOUT,
        max_retries: int = 2,
        headers: Headers | None = None,
        ca: str | None = None,
        cert: str | None = None,
        key: str | None = None,
        proxy: str | None = None,
        max_connections: int = 100,
        allow_insecure: bool = False,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        from .calls import AsyncCalls

        options = ClientOptions(
            api_key=api_key,
            token=token,
            base_url=base_url,
            target=target,
            transport=transport,
            timeout=timeout,
            max_retries=max_retries,
            headers={} if headers is None else headers,
            ca=ca,
            cert=cert,
            key=key,
            proxy=proxy,
            max_connections=max_connections,
            allow_insecure=allow_insecure,
            on_call=on_call,
        ).resolved()
        super().__init__(AsyncCalls(_transport(options), options))

    async def call(self, method: str, request: Mapping[str, Any], **options: Unpack[CallOptions]) -> Reply[Any]:
        """Calls a method with one response by its full name, `artificer.batch.v1.BatchService/GetJob`.

        Returns the response with its metadata. Raises KeyError for an unknown name, TypeError for a method of streams.
        """
        from .._methods import find

        found = find(method)
        if found.kind is not Kind.UNARY:
            raise TypeError(f"{method} streams; use the method of a resource, such as `client.chat.stream`")
        return await self._calls.reply(found, request, options)

    async def aclose(self) -> None:
        """Ends every call and closes the connections.

        Without asyncio, a thread that waits for the one response of a call over REST does so until the call's deadline.
        """
        self._calls.closed = True
        await self._calls.transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _transport(options: ClientOptions) -> AsyncTransport:
    if options.transport == "grpc":
        from .grpc import AsyncGrpcTransport

        return AsyncGrpcTransport(options)
    if options.transport == "rest":
        from .rest import AsyncRestTransport

        return AsyncRestTransport(options)
    raise ValueError(f'transport is "rest" or "grpc", not {options.transport!r}')
