"""The keys that rules count by: caller, address, method, or a combination, as one string per call.

It knows no rule. The caller is the principal that an authenticator left in the call's notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

from ..origin import Origin
from ..settings.limits import By

PRINCIPAL = "principal"
"""The key in `Origin.notes`; its value has an `id`."""

Key = Callable[[Origin, str], str]
"""Returns the key of a call from its origin and method."""

_KINDS = ("method", "address", "principal")


def key_of(by: Sequence[By], prefix: int) -> Key:
    """Returns the key function of `by`; IPv6 addresses are cut to `prefix` bits."""

    def address(known: Origin, method: str) -> str:
        return address_of(known.peer, prefix)

    def principal(known: Origin, method: str) -> str:
        caller = known.notes.get(PRINCIPAL)
        if caller is None:
            return f"a:{address_of(known.peer, prefix)}"
        # Different kinds of credentials may use the same id for different callers.
        return f"p:{getattr(caller, 'kind', '')}:{caller.id}"

    found: dict[By, Key] = {"address": address, "principal": principal, "method": _method}
    parts = [found[one] for one in sorted(by, key=_KINDS.index)]
    if len(parts) == 1:
        return parts[0]
    return lambda known, method: " ".join([part(known, method) for part in parts])


def _method(known: Origin, method: str) -> str:
    return method


def waits(by: Sequence[By], known: Origin) -> bool:
    """Whether the key needs the connection, and it is not known yet."""
    return not known.settled and ("address" in by or ("principal" in by and PRINCIPAL not in known.notes))


def address_of(peer: str, prefix: int) -> str:
    """Returns the address of a peer in gRPC's form: `ipv4:192.0.2.1:4711`, `ipv6:%5B2001:db8::1%5D:4711`, or other."""
    kind, _, rest = peer.partition(":")
    if kind == "ipv4":
        return rest.rpartition(":")[0]
    return _network(unquote(rest).rpartition(":")[0].strip("[]"), prefix) if kind == "ipv6" else peer


@lru_cache(maxsize=4096)
def _network(host: str, prefix: int) -> str:
    try:
        found = ip_address(host)
    except ValueError:
        return host
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    rest = 128 - prefix
    return f"{IPv6Address(int(found) >> rest << rest)}/{prefix}"
