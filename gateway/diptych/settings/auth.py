"""Who may call, as settings: API keys, tokens, certificates, and what each method asks of its callers.

It checks forms only; which methods there are is known where the gateway is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr, model_validator

from .table import SettingsTable

Algorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]

KEY_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What an API key may be called: it stands in the key itself, in logs and in limits."""

KEY_HASH = re.compile(r"sha256:([0-9a-f]{32}):([0-9a-f]{64})")
"""How a key is kept: the salt, and SHA-256 of salt and key, in hexadecimal."""

# RFC 7518 section 3.2: "A key of the same size as the hash output … or larger MUST be used".
_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
PATTERN = re.compile(r"/(?:[^*\s]*\*|[^*\s/]+/[^*\s/]+)")
"""A method's whole name, or a beginning of it and a `*`."""
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Patterns = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One pattern or several: `/package.Service/Method`, or a beginning of it followed by `*`."""


class ApiKey(SettingsTable):
    """One static API key; the key itself is kept nowhere."""

    hash: SecretStr
    """The key's salted hash, as `diptych auth new-key` and `diptych auth hash-key` print it."""
    scopes: tuple[str, ...] = ()
    """What its holder may do."""
    roles: tuple[str, ...] = ()
    """What its holder is."""
    expires: AwareDatetime | None = None
    """When it stops being taken, with a time zone; None is never."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not KEY_HASH.fullmatch(self.hash.get_secret_value()):
            raise ValueError("hash is none that `diptych auth hash-key` prints")
        return self


class JwtSettings(SettingsTable):
    """JSON Web Tokens of one issuer; those of several are authenticators given to the gateway in code."""

    issuer: str = Field(min_length=1)
    """The `iss` that tokens have to have."""
    audiences: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(min_length=1)
    """The `aud` of tokens that are meant for this server; one of them suffices."""
    algorithms: tuple[Algorithm, ...] | None = None
    """The algorithms that are taken; None is HS256 with `secret`, and RS256, ES256 and EdDSA with a key set."""
    secret: SecretStr | None = None
    """The shared secret of HS256, HS384 and HS512, at least as long as the hash: 32, 48 or 64 bytes."""
    jwks_url: str | None = None
    """Where the issuer shows its public keys (RFC 7517); https, or http of this very machine."""
    jwks_file: Path | None = None
    """A file of public keys in the same form, read anew while the server runs."""
    jwks_ca: Path | None = None
    """The authorities that `jwks_url`'s certificate is checked by, PEM; None are the system's."""
    jwks_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long fetching the keys may take."""
    jwks_refresh_seconds: float = Field(default=300.0, gt=0)
    """How old the keys may be before they are fetched anew, while calls go on with the old ones."""
    jwks_retry_seconds: float = Field(default=10.0, gt=0)
    """The least time between two fetches, whatever unknown keys tokens name."""
    jwks_stale_seconds: float = Field(default=86400.0, gt=0)
    """How long the last keys are used while new ones cannot be fetched."""
    leeway_seconds: float = Field(default=30.0, ge=0, le=600)
    """By how much the issuer's clock may differ."""
    subject_claim: str = "sub"
    """The claim that becomes the caller's id."""
    scopes_claim: str = "scope"
    """The claim that holds scopes, a list or names between spaces; dots go into objects."""
    roles_claim: str = "roles"
    """The claim that holds roles, alike, such as `realm_access.roles`."""
    cache_tokens: int = Field(default=10_000, ge=0)
    """How many verified tokens are remembered, by their hash, so that a call more costs no signature."""
    cache_seconds: float = Field(default=60.0, ge=0)
    """How long a verified token is remembered, and never beyond its expiry."""

    @property
    def allowed(self) -> tuple[Algorithm, ...]:
        """The algorithms that are taken."""
        if self.algorithms is not None:
            return self.algorithms
        shared: tuple[Algorithm, ...] = ("HS256",) if self.secret is not None else ()
        public: tuple[Algorithm, ...] = ("RS256", "ES256", "EdDSA") if self.has_key_set else ()
        return (*shared, *public)

    @property
    def has_key_set(self) -> bool:
        """Whether there are public keys."""
        return self.jwks_url is not None or self.jwks_file is not None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.jwks_url is not None and self.jwks_file is not None:
            raise ValueError("jwks_url and jwks_file: one of them")
        if self.secret is None and not self.has_key_set:
            raise ValueError("one of secret, jwks_url and jwks_file is needed")
        if not self.allowed:
            raise ValueError("algorithms is empty")
        self._check_secret()
        if not self.has_key_set and any(not name.startswith("HS") for name in self.allowed):
            raise ValueError("algorithms other than HS* need jwks_url or jwks_file")
        if self.jwks_url is not None and not _is_safe(self.jwks_url):
            raise ValueError("jwks_url has to be https, but for http of this very machine")
        return self

    def _check_secret(self) -> None:
        shared = [name for name in self.allowed if name.startswith("HS")]
        if bool(shared) is not (self.secret is not None):
            raise ValueError("secret and the algorithms HS* are set both or neither")
        if self.secret is not None:
            need = max(_SECRET_BYTES[name] for name in shared)
            if len(self.secret.get_secret_value().encode()) < need:
                raise ValueError(f"secret is shorter than {need} bytes")


class CertificateRule(SettingsTable):
    """Client certificates that stand for a caller; exactly one of `san` and `common_name` is set.

    In a pattern `*` stands for characters other than a dot and a slash, `**` for any.
    """

    san: str | None = Field(default=None, min_length=1)
    """A pattern for a subject alternative name, such as `spiffe://example.org/ns/*/sa/web` or `*.internal`."""
    common_name: str | None = Field(default=None, min_length=1)
    """A pattern for the subject's common name."""
    id: str | None = Field(default=None, min_length=1)
    """The caller's id; None is the name that matched."""
    scopes: tuple[str, ...] = ()
    """What the caller may do."""
    roles: tuple[str, ...] = ()
    """What the caller is."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.san is None) == (self.common_name is None):
            raise ValueError("exactly one of san and common_name is set")
        return self


class AuthRule(SettingsTable):
    """What some methods ask of a caller who is known. The most specific rule for a method is its only one."""

    methods: Patterns = Field(min_length=1)
    """`/package.Service/Method`, or a beginning of it followed by `*`; one or several."""
    scopes: tuple[str, ...] = ()
    """Scopes that a caller has to have, all of them."""
    roles: tuple[str, ...] = ()
    """Roles of which a caller has to have one."""


class AuthSettings(SettingsTable):
    """Who may call. With no authenticator set, anybody may; with one, only known callers, but for public methods."""

    api_keys: Mapping[str, ApiKey] = Field(default_factory=dict)
    """API keys by id; callers send them as `x-api-key`, or as `authorization: Bearer`."""
    api_keys_file: Path | None = None
    """More API keys, a TOML table each; the file is read anew when it changes, so that keys come and go."""
    jwt: JwtSettings | None = None
    """JSON Web Tokens, which callers send as `authorization: Bearer`."""
    certificates: tuple[CertificateRule, ...] = ()
    """Client certificates that are callers; the first rule that fits counts. Headers go before the certificate."""
    anonymous: bool = False
    """Lets anyone call where no authenticator is set, from other machines too. Without it, a gateway that has no
    authenticator starts on loopback addresses only. It has no effect where an authenticator is set."""
    public_methods: Patterns = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch")
    """Methods that anybody may call. Health is, since what probes it mostly cannot send credentials."""
    rules: tuple[AuthRule, ...] = ()
    """What methods ask beyond a known caller; methods without a rule ask nothing more."""
    docs_public: bool = False
    """Shows /docs and /openapi.json to anybody even though calls need credentials."""
    metrics_public: bool = False
    """Shows /metrics on the HTTP port to anybody even though calls need credentials; its own port asks for none."""
    recheck_expiry: bool = True
    """Ends a stream with UNAUTHENTICATED when its caller's credentials expire."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name in self.api_keys:
            if not KEY_ID.fullmatch(name):
                raise ValueError("an API key's id is lower-case letters, digits and '-', at most 63")
        for pattern in (*self.public_methods, *(one for rule in self.rules for one in rule.methods)):
            if not PATTERN.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is neither /package.Service/Method nor a beginning of it and a *")
        return self


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )
