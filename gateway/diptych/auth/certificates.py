"""Callers known by their client certificates: names the transport has proven, matched by pattern.

It knows no TLS: the listener has checked the chain, and says what it proved in `origin.auth`, in gRPC core's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ..settings.auth import CertificateRule
from .caller import Credentials, Principal

_SAN, _COMMON_NAME = "x509_subject_alternative_name", "x509_common_name"
_PIECE = re.compile(r"\*\*|\*|[^*]+")


def _compiled(pattern: str) -> re.Pattern[str]:
    kinds = {"*": "[^./]+", "**": ".+"}
    return re.compile("".join(kinds.get(piece) or re.escape(piece) for piece in _PIECE.findall(pattern)), re.DOTALL)


class Certificates:
    """Authenticates by the connection's certificate; it is asked last, since headers are the caller's own words."""

    needs_connection = True

    def __init__(self, rules: Sequence[CertificateRule]) -> None:
        self._rules = [
            (_COMMON_NAME if rule.san is None else _SAN, _compiled(rule.san or rule.common_name or ""), rule)
            for rule in rules
        ]
        self.security_schemes = {"certificate": {"type": "mutualTLS"}}

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The caller that the certificate stands for; None where there is no certificate, or no rule for it."""
        proven: Mapping[str, Iterable[bytes]] = credentials.origin.auth
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
