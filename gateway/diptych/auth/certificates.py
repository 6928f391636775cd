"""Authentication by client certificates: verified names, matched by patterns.

It knows no TLS: the listener has verified the chain, and puts the names into `origin.auth`, under gRPC core's keys.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..metadata import Pair
from ..origin import Origin
from ..settings.auth import CertificateRule
from .caller import Credentials, Principal, Refused

PAGE_HEADERS = ("origin", "sec-fetch-site")
"""Headers by which a browser tells which site's page sends the request (Fetch Metadata)."""
_SAN, _COMMON_NAME = "x509_subject_alternative_name", "x509_common_name"
_PIECE = re.compile(r"\*\*|\*|[^*]+")


def _compiled(pattern: str) -> re.Pattern[str]:
    kinds = {"*": "[^./]+", "**": ".+"}
    return re.compile("".join(kinds.get(piece) or re.escape(piece) for piece in _PIECE.findall(pattern)), re.DOTALL)


class Certificates:
    """Authenticates by the connection's certificate. It comes last, so that credentials in headers take precedence."""

    needs_connection = True

    def __init__(self, rules: Sequence[CertificateRule], origins: Collection[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._rules = [
            (_COMMON_NAME if rule.san is None else _SAN, _compiled(rule.san or rule.common_name or ""), rule)
            for rule in rules
        ]
        self.security_schemes = {"certificate": {"type": "mutualTLS"}}

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Returns the caller that the certificate identifies; None without a certificate or a matching rule.

        Raises `Refused` if a browser sent it for a page of an origin that `cors_origins` does not list.
        """
        return self._recognize_now(credentials.bearer, credentials.api_key, credentials.metadata, credentials.origin)

    def _recognize_now(
        self, bearer: str | None, api_key: str | None, metadata: Sequence[Pair], known: Origin
    ) -> Principal | None:
        """Does the same as `authenticate`, which never waits."""
        proven: Mapping[str, Iterable[bytes]] = known.auth
        if not any(proven.get(key) for key in (_SAN, _COMMON_NAME)):
            return None
        if self._is_borrowed(metadata):
            raise Refused("pages of other origins must not use the browser's certificate; add theirs to cors_origins")
        for key, pattern, rule in self._rules:
            for raw in proven.get(key, ()):
                name = raw.decode("utf-8", "replace")
                if pattern.fullmatch(name):
                    return Principal(
                        id=rule.id or name,
                        kind="certificate",
                        scopes=frozenset(rule.scopes),
                        roles=frozenset(rule.roles),
                    )
        return None

    def _is_borrowed(self, metadata: Sequence[Pair]) -> bool:
        # CSRF: a browser sends its user's certificate with any page's requests, and with forms even without CORS.
        sent = {key: value for key, value in metadata if key in PAGE_HEADERS}
        return sent.get("sec-fetch-site") in ("cross-site", "same-site") and sent.get("origin") not in self._origins
