"""Callers known by their client certificates: names the transport has proven, matched by pattern.

It knows no TLS: the listener has checked the chain, and says what it proved in `origin.auth`, in gRPC core's words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..settings.auth import CertificateRule
from .caller import Credentials, Principal, Refused

PAGE_HEADERS = ("origin", "sec-fetch-site")
"""By which a browser says whose page it asks for (Fetch Metadata)."""
_SAN, _COMMON_NAME = "x509_subject_alternative_name", "x509_common_name"
_PIECE = re.compile(r"\*\*|\*|[^*]+")


def _compiled(pattern: str) -> re.Pattern[str]:
    kinds = {"*": "[^./]+", "**": ".+"}
    return re.compile("".join(kinds.get(piece) or re.escape(piece) for piece in _PIECE.findall(pattern)), re.DOTALL)


class Certificates:
    """Authenticates by the connection's certificate; it is asked last, since headers are the caller's own words."""

    needs_connection = True

    def __init__(self, rules: Sequence[CertificateRule], origins: Collection[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._rules = [
            (_COMMON_NAME if rule.san is None else _SAN, _compiled(rule.san or rule.common_name or ""), rule)
            for rule in rules
        ]
        self.security_schemes = {"certificate": {"type": "mutualTLS"}}

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The caller that the certificate stands for; None where there is no certificate, or no rule for it.

        Raises `Refused` where a browser shows it for a page of an origin that is not named.
        """
        proven: Mapping[str, Iterable[bytes]] = credentials.origin.auth
        if not any(proven.get(key) for key in (_SAN, _COMMON_NAME)):
            return None
        if self._is_borrowed(credentials):
            raise Refused("a page of another origin may not use the browser's certificate")
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

    def _is_borrowed(self, credentials: Credentials) -> bool:
        # A browser shows its user's certificate whoever's page asks, by forms even without CORS; but it says whose.
        told = {key: value for key, value in credentials.metadata if key in PAGE_HEADERS}
        return told.get("sec-fetch-site") in ("cross-site", "same-site") and told.get("origin") not in self._origins
