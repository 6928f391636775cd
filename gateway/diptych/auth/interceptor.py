"""The interceptor that runs first: it authenticates and authorizes a call before any of its body is read.

It knows no kind of credentials; the authenticators do.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Protocol, TypeAlias

import grpc

from ..call import UNDECIDED, UNKNOWN_METHOD, ImmediateInterceptor, Undecided, defined_together
from ..call.adapt import adapt
from ..call.refusal import abort, refusal
from ..metadata import Metadata
from ..methods import Handler
from ..origin import Origin, enter, origin
from ..status import Code, Status, StatusError
from ..telemetry.unmatched import LONGEST_PATH
from . import streams
from .caller import NOTE, Authenticator, Credentials, Principal, Refused
from .policy import Need, Policy
from .refusals import NOBODY, denied, unauthenticated

logger = logging.getLogger("diptych.auth")

Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"

Recognize: TypeAlias = "Callable[[str | None, str | None, Metadata, Origin], Principal | Undecided | None]"
"""What `authenticate` finds, from the bearer token, the API key, the metadata and the origin; UNDECIDED if it waits."""


class FailureCounter(Protocol):
    """Counts wrong credentials by address."""

    def beyond(self, known: Origin) -> Status | None:
        """Returns the status that refuses the call if too many credentials from its address were wrong."""

    def wrong(self, known: Origin) -> None:
        """Counts a call with wrong credentials."""


class AuthenticatorChain:
    """Tries the authenticators in order; the first that recognizes or refuses the caller decides."""

    def __init__(self, authenticators: Sequence[Authenticator], failures: FailureCounter | None = None) -> None:
        self._failures = failures
        self._all = tuple(authenticators)
        self._early = tuple(one for one in authenticators if not needs_connection(one))
        self._late = tuple(one for one in authenticators if needs_connection(one))
        ready = [_recognizer(one) for one in authenticators]
        self._ready = None if None in ready else tuple(one for one in ready if one is not None)

    def ask_now(self, metadata: Metadata, known: Origin) -> Principal | Undecided | None:
        """Does the same as `ask`, of a call whose connection is known; UNDECIDED if that takes waiting."""
        if self._ready is None:
            return UNDECIDED
        failures = self._failures
        authorization, bearer, api_key = _presented(metadata)
        if failures is not None and (authorization is not None or api_key is not None):
            status = failures.beyond(known)
            if status is not None:
                raise StatusError(status)
        try:
            for recognize in self._ready:
                found = recognize(bearer, api_key, metadata, known)
                if found is not None:
                    return found
        except Refused as refused:
            if failures is not None:
                failures.wrong(known)
            raise StatusError(unauthenticated(refused.reason)) from None
        return None

    async def ask(self, credentials: Credentials) -> Principal | None:
        """Returns the caller; None if no authenticator recognizes it. Raises `StatusError`."""
        return await self._first(self._all, credentials)

    async def ask_early(self, credentials: Credentials) -> Principal | None:
        """Does the same with the authenticators that do not need the connection."""
        return await self._first(self._early, credentials)

    async def ask_late(self, credentials: Credentials) -> Principal | None:
        """Does the same with the others."""
        return await self._first(self._late, credentials)

    async def _first(self, authenticators: Iterable[Authenticator], credentials: Credentials) -> Principal | None:
        failures, known = self._failures, credentials.origin
        if failures is not None and (credentials.authorization is not None or credentials.api_key is not None):
            if not known.settled:  # the address is known only once the call runs, and the check waits for it
                known.settle = (*known.settle, partial(_late, failures, known))
            elif (status := failures.beyond(known)) is not None:
                raise StatusError(status)
        try:
            return await _first(authenticators, credentials)
        except Refused as refused:
            if failures is not None and known.settled:
                failures.wrong(known)
            elif failures is not None:
                known.settle = (*known.settle, partial(_late, failures, known, wrong=True))
            raise StatusError(unauthenticated(refused.reason)) from None

    @property
    def waits(self) -> bool:
        """Whether any authenticator needs the connection."""
        return bool(self._late)


def needs_connection(authenticator: Authenticator) -> bool:
    """Whether the authenticator reads the connection."""
    return bool(getattr(authenticator, "needs_connection", False))


def _recognizer(authenticator: Authenticator) -> Recognize | None:
    """Returns what does the same as the authenticator's `authenticate` without waiting; users' ones have nothing."""
    if not defined_together(authenticator, "authenticate", "_recognize_now"):
        return None
    return getattr(authenticator, "_recognize_now", None)


async def _first(authenticators: Iterable[Authenticator], credentials: Credentials) -> Principal | None:
    for authenticator in authenticators:
        found = await authenticator.authenticate(credentials)
        if found is not None:
            return found
    return None


async def _late(failures: FailureCounter, known: Origin, *, wrong: bool = False) -> Status | None:
    if not wrong:
        return failures.beyond(known)
    failures.wrong(known)
    return None


def credentials_of(method: str, metadata: Iterable[tuple[str, str | bytes]], known: Origin) -> Credentials:
    """Returns the credentials of a call. Raises `StatusError` if they are ambiguous."""
    pairs = tuple(metadata or ())
    authorization, bearer, api_key = _presented(pairs)
    return Credentials(
        method=method, origin=known, bearer=bearer, api_key=api_key, authorization=authorization, metadata=pairs
    )


def _presented(pairs: Iterable[tuple[str, Any]]) -> tuple[str | None, str | None, str | None]:
    """Returns the authorization header, its bearer token, and the API key. Raises `StatusError` for ambiguous ones."""
    authorization: str | None = None
    api_key: str | None = None
    for key, value in pairs:
        if key == "authorization":
            if authorization is not None:
                raise StatusError(unauthenticated("the call has more than one authorization header; send one"))
            authorization = value
        elif key == "x-api-key":
            if api_key is not None:
                raise StatusError(unauthenticated("the call has more than one x-api-key header; send one"))
            api_key = value
    if authorization is None:
        return None, None, api_key
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return authorization, None, api_key
    if api_key is not None:
        raise StatusError(unauthenticated("the call has both a bearer token and an x-api-key; send one of them"))
    return authorization, token.strip(), None


class AuthInterceptor(ImmediateInterceptor):
    """Passes on calls whose caller is authenticated and authorized, and answers all others.

    `needs` are by method; `streamed` are the client-streaming methods, `unary` those without any stream. If the
    connection is known later than the metadata, a call that needs it is authenticated once it runs, and later
    interceptors see it only then.
    """

    def __init__(
        self,
        chain: AuthenticatorChain,
        policy: Policy,
        needs: Mapping[str, Need],
        streamed: Collection[str],
        unary: Collection[str],
        threads: Executor,
        *,
        recheck_expiry: bool,
    ) -> None:
        self._chain, self._policy, self._needs, self._threads = chain, policy, dict(needs), threads
        self._streamed, self._unary = frozenset(streamed), frozenset(unary)
        self._late, self._recheck = chain.waits, recheck_expiry

    def decide(self, path: str, metadata: Metadata, known: Origin) -> Handler | Undecided | None:
        """Does the same as `intercept_service`, unless that takes waiting or wraps the handler."""
        if not known.settled:
            return UNDECIDED
        need = self._needs.get(path) or self._policy.of(path)
        try:
            caller = self._chain.ask_now(metadata, known)
        except StatusError as wrong:
            return None if need.public else self._refused(wrong.status, path)
        if caller is None:
            return None if need.public else self._refused(unauthenticated(NOBODY, shown=False), path)
        if caller is UNDECIDED or (caller.expires is not None and self._recheck and path not in self._unary):
            return UNDECIDED
        status = self._let_in(known, caller, need, path)
        return None if status is None else self._refused(status, path)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        details: Any = handler_call_details
        method: str = details.method
        known = origin()
        if known is None:
            enter(known := Origin(protocol="grpc"))
        need = self._needs.get(method) or self._policy.of(method)
        late = self._late and not known.settled
        try:
            credentials = credentials_of(method, details.invocation_metadata, known)
            ask = self._chain.ask_early if late else self._chain.ask
            caller = await ask(credentials)
        except StatusError as wrong:
            if not need.public:
                return self._refused(wrong.status, method)
            caller = None  # a public method ignores wrong credentials
        if caller is None and not need.public:
            if late:
                return self._by_connection(continuation, details, need, credentials)
            return self._refused(unauthenticated(NOBODY, shown=False), method)
        status = self._let_in(known, caller, need, method)
        if status is not None:
            return self._refused(status, method)
        handler = await continuation(details)
        return handler if handler is None or caller is None else self._bounded(handler, caller)

    def _let_in(self, known: Origin, caller: Principal | None, need: Need, method: str) -> Status | None:
        if caller is None:
            return None
        known.notes[NOTE] = caller
        if need.scopes or need.roles:
            return denied(need, caller, method)
        return None

    def _bounded(self, handler: Handler, caller: Principal) -> Handler:
        if caller.expires is None or not self._recheck:
            return handler
        if not (handler.request_streaming or handler.response_streaming):
            return handler
        return streams.until(adapt(handler, self._threads), caller.expires)

    def _refused(self, status: Status, method: str) -> Handler:
        logger.info("refused %r: %s", method[:LONGEST_PATH], status.message)
        return refusal(status, streamed=method in self._streamed)

    def _by_connection(
        self, continuation: Continuation, details: grpc.HandlerCallDetails, need: Need, credentials: Credentials
    ) -> Handler:
        known, method = credentials.origin, credentials.method

        async def find(context: Any) -> Handler:
            caller = await self._chain.ask_late(credentials)
            status = unauthenticated(NOBODY, shown=False) if caller is None else None
            status = status or self._let_in(known, caller, need, method)
            if status is not None:
                logger.info("refused %r: %s", method[:LONGEST_PATH], status.message)
                await abort(context, status)
            handler = await continuation(details)
            if handler is None:
                await context.abort(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
            found: Any = adapt(handler, self._threads)  # type: ignore[arg-type]  # abort does not return
            return found if caller is None else self._bounded(found, caller)

        return streams.later(find)
