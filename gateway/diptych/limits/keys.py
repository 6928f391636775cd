"""By what a rule counts: the caller, its address, the method, or several of them, as one string a call.

It knows no rule. The caller is who an authenticator left in the call's notes, whatever it is otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

from ..origin import Origin
from ..settings.limits import By

PRINCIPAL = "principal"
"""The note's key; what stands there has an `id`."""

Key = Callable[[Origin, str], str]
"""Of a call, and its method."""

_KINDS = ("method", "address", "principal")


def key_of(by: Sequence[By], prefix: int) -> Key:
    """The key of calls that are counted `by` these; addresses of IPv6 are `prefix` bits."""

    def address(known: Origin, method: str) -> str:
        return address_of(known.peer, prefix)

    def principal(known: Origin, method: str) -> str:
        caller = known.notes.get(PRINCIPAL)
        if caller is None:
            return f"a:{address_of(known.peer, prefix)}"
        # Two kinds of credentials may name different people alike.
        return f"p:{getattr(caller, 'kind', '')}:{caller.id}"

    found: dict[By, Key] = {"address": address, "principal": principal, "method": _method}
    parts = [found[one] for one in sorted(by, key=_KINDS.index)]
    if len(parts) == 1:
        return parts[0]
    return lambda known, method: " ".join([part(known, method) for part in parts])


def _method(known: Origin, method: str) -> str:
    return method


def waits(by: Sequence[By], known: Origin) -> bool:
    """Whether the key needs the connection, which is not known yet."""
    return not known.settled and ("address" in by or ("principal" in by and PRINCIPAL not in known.notes))


def address_of(peer: str, prefix: int) -> str:
    """The address of a peer as gRPC writes it: `ipv4:192.0.2.1:4711`, `ipv6:%5B2001:db8::1%5D:4711`, or another."""
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
