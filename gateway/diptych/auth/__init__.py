"""Authentication and authorization: authenticators, what each method requires, and the interceptor that enforces it.

The entry point is `Auth`, built once from settings and the user's own authenticators. It knows no protocol: credentials
are metadata, or what the transport has verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from ..addresses import is_loopback
from ..extras import need
from ..methods import Handler
from ..settings import Settings
from .caller import Authenticator, Credentials, Principal, Refused, principal
from .certificates import PAGE_HEADERS, Certificates
from .interceptor import AuthenticatorChain, AuthInterceptor, FailureCounter
from .keys import ApiKeys, KeyFileError, hash_key, new_key
from .pages import Dependency, Pages, add_security, need_of
from .policy import AuthError, Policy

__all__ = [
    "ApiKeys",
    "Auth",
    "AuthError",
    "AuthInterceptor",
    "Authenticator",
    "Certificates",
    "Credentials",
    "Dependency",
    "Jwt",
    "KeyFileError",
    "Principal",
    "Refused",
    "hash_key",
    "new_key",
    "principal",
]

if TYPE_CHECKING:
    from .tokens import Jwt
else:

    def __getattr__(name: str) -> Any:
        """Imports `Jwt` on first use, since its library is an extra."""
        if name != "Jwt":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _jwt("diptych.auth.Jwt")


def _jwt(what: str) -> type[Jwt]:
    need(what, "PyJWT", "jwt", "jwt", "cryptography")
    from .tokens import Jwt

    return Jwt


_HEADERS = ("authorization", "x-api-key")


class Auth:
    """Authentication of one gateway. Raises `AuthError` or `KeyFileError` if the settings are inconsistent.

    `failures` counts wrong credentials.
    """

    def __init__(
        self, settings: Settings, own: Sequence[Authenticator] = (), failures: FailureCounter | None = None
    ) -> None:
        self._settings = settings
        self._authenticators = [*own, *_built_in(settings)]
        self.enabled = bool(self._authenticators)
        """Whether callers must authenticate: at least one authenticator is set."""
        self._policy = Policy(settings.auth)
        self._chain = AuthenticatorChain(self._authenticators, failures)
        self._pages = Pages(self._chain)
        if settings.auth.rules and not self.enabled:
            raise AuthError("auth.rules is set, but no authenticator: set auth.api_keys, auth.jwt or auth.certificates")
        if self.enabled:
            _check_headers(settings)

    def check_reachable(self) -> None:
        """Raises `AuthError` if other machines reach a listener, with neither an authenticator nor `anonymous` set."""
        settings = self._settings
        if self.enabled or settings.auth.anonymous:
            return
        hosts = {"http_host": settings.http_host, "grpc_host": settings.grpc_host}
        if settings.single_port:
            del hosts["grpc_host"]
        for name, host in hosts.items():
            if not is_loopback(host):
                raise AuthError(
                    f"{name} is {host!r}, which other machines reach, and no authenticator is set: set auth.api_keys,"
                    " auth.jwt or auth.certificates, or auth.anonymous = true to let anyone call"
                )

    def interceptors(
        self, handlers: Mapping[str, Handler], threads: Executor, *, open_ended: bool
    ) -> tuple[AuthInterceptor, ...]:
        """Returns the interceptor that runs before all others; none without an authenticator.

        `handlers` are all handlers by `/{package.Service}/{Method}`; `open_ended` means that generic handlers may serve
        more. Raises `AuthError` if a pattern matches no method.
        """
        if not self.enabled:
            return ()
        return (
            AuthInterceptor(
                self._chain,
                self._policy,
                self._policy.table(handlers, open_ended=open_ended),
                [path for path, handler in handlers.items() if handler.request_streaming],
                [path for path, one in handlers.items() if not (one.request_streaming or one.response_streaming)],
                threads,
                recheck_expiry=self._settings.auth.recheck_expiry,
            ),
        )

    @property
    def security_schemes(self) -> Mapping[str, Mapping[str, Any]]:
        """OpenAPI's security schemes of the authenticators, by name."""
        found: dict[str, Mapping[str, Any]] = {}
        for authenticator in self._authenticators:
            for name, scheme in getattr(authenticator, "security_schemes", {}).items():
                found.setdefault(name, scheme)
        return found

    def scopes(self, method: str) -> list[str] | None:
        """Returns the scopes that a method requires; None if it needs no credentials."""
        need = self._policy.of(method)
        return None if need.public or not self.enabled else sorted(need.scopes)

    def require(self, scopes: Iterable[str] = (), roles: Iterable[str] = ()) -> Dependency:
        """Returns a FastAPI dependency that yields the caller, and refuses requests without one."""
        return self._pages.dependency(need_of(scopes, roles))

    def add_security(self, document: dict[str, Any], routes: Iterable[Any]) -> None:
        """Adds what `require` checks to FastAPI's document of the application's own routes."""
        add_security(document, routes, self.security_schemes)

    def guarded(self, app: ASGIApp, scopes: Iterable[str] = (), roles: Iterable[str] = ()) -> ASGIApp:
        """Returns the app behind the same authentication, for `mount`."""
        return self._pages.guarded(app, need_of(scopes, roles))

    async def close(self) -> None:
        """Closes the authenticators that have a `close()`."""
        for authenticator in self._authenticators:
            close = getattr(authenticator, "close", None)
            if close is not None:
                await close()


def _built_in(settings: Settings) -> list[Authenticator]:
    auth = settings.auth
    found: list[Authenticator] = []
    # Tokens come first: `Jwt` passes on what does not look like a token, while `ApiKeys` treats any bearer as a key.
    if auth.jwt is not None:
        found.append(_jwt("auth.jwt")(auth.jwt))
    if auth.api_keys or auth.api_keys_file is not None:
        found.append(ApiKeys(auth.api_keys, auth.api_keys_file))
    if auth.certificates:
        if settings.tls_client_ca is None:
            raise AuthError("auth.certificates needs tls_client_ca, which client certificates are verified against")
        found.append(Certificates(auth.certificates, settings.cors_origins))
    return found


def _check_headers(settings: Settings) -> None:
    # An authenticator sees only headers that become metadata.
    denied = {name.lower() for name in settings.metadata_deny}
    allowed = None if settings.metadata_allow is None else {name.lower() for name in settings.metadata_allow}
    for name in (*_HEADERS, *(PAGE_HEADERS if settings.auth.certificates else ())):
        if name in denied or (allowed is not None and name not in allowed):
            raise AuthError(f"auth needs the header {name!r}, which metadata_allow or metadata_deny excludes")
