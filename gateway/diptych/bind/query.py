"""Binds query parameters to fields.

One `QueryBinder` per binding, built at start-up; it knows no HTTP beyond the raw query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from ..codec import DEFAULT, Parameters, Policy, UnknownEnumName, text_reader
from ..fields import OPAQUE_MESSAGES, FieldPath, UnknownField, by_any_name, check_depth, is_map, is_scalar, resolve
from ..status import Violation, invalid
from .setters import Setter, map_setter, setter

# Google's system parameters (cloud.google.com/apis/docs/system-parameters); a field with the same name wins.
SYSTEM = frozenset(
    (
        *("$alt", "alt", "$callback", "callback", "$fields", "fields", "$key", "key", "$prettyPrint", "prettyPrint"),
        *("$.xgafv", "$userProject", "quotaUser", "access_token", "oauth_token", "uploadType", "upload_protocol"),
        "$apiVersion",
    )
)
_KEYED = re.compile(r"([^\[\]]+)\[(.*)\]", re.DOTALL)
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Bounds of the cache of resolved names: clients can make up names (`a.b`, `A.b`, …) and must not fill the memory.
_REMEMBERED, _LONGEST_REMEMBERED = 2048, 200


@dataclass(frozen=True, slots=True)
class _Target:
    set: Setter
    path: FieldPath
    repeated: bool


class QueryBinder:
    """Sets the fields of a request that neither the path nor the body binds.

    `bound` are the fields with another source, each with that source's name ("path" or "body"). `most` is the largest
    number of parameters, `deepest` that of names between dots in one.
    """

    def __init__(
        self, message: Descriptor, bound: Sequence[tuple[FieldPath, str]], *, policy: Policy, most: int, deepest: int
    ) -> None:
        self._message, self._bound, self._policy = message, tuple(bound), policy
        self._most, self._deepest = most, deepest
        self._system = SYSTEM - by_any_name(message).keys()
        self._known: dict[str, _Target] = {}

    def bind(self, request: Message, query: bytes, warnings: list[str], *, closed: str | None = None) -> Parameters:
        """Sets the query's fields on `request`. Raises INVALID_ARGUMENT that names each invalid parameter.

        `closed` is the error for every field parameter if the query may set none, else None.
        """
        faults: list[Violation] = []
        seen: set[tuple[str, ...]] = set()
        system: list[tuple[str, str]] = []
        for name, value in _pairs(query, self._most):
            if name in self._system:
                system.append((name, value))
                continue
            target = self._known.get(name)
            try:
                if target is None:
                    target = self._resolve(name)
                if target is None:
                    if self._policy == "warn":
                        warnings.append(name)
                    continue
                if closed is not None:
                    raise ValueError(closed)
                if not target.repeated:
                    key = (*target.path.names, name[name.find("[") :] if name.endswith("]") else "")
                    if key in seen:
                        raise ValueError("repeated parameter; the field takes a single value")
                    seen.add(key)
                target.set(request, value)
            except ValueError as fault:
                if self._policy != "ignore" or not isinstance(fault, UnknownEnumName):
                    faults.append(Violation(name, str(fault)))
        if faults:
            raise invalid(*faults[:20])
        return _parameters(system) if system else DEFAULT

    def parameters(self, query: bytes) -> Parameters:
        """Returns the system parameters of a query. Raises INVALID_ARGUMENT for an invalid one."""
        system = [pair for pair in _pairs(query, self._most) if pair[0] in self._system]
        return _parameters(system) if system else DEFAULT

    def _resolve(self, name: str) -> _Target | None:
        """Returns the field that a parameter names, or None if it is unknown and the policy accepts that."""
        keyed = _KEYED.fullmatch(name)
        dotted = keyed[1] if keyed else name
        check_depth(dotted, self._deepest)
        try:
            path = resolve(self._message, dotted)
        except UnknownField as unknown:
            if self._policy == "strict":
                raise ValueError(str(unknown)) from None
            return None
        for other, source in self._bound:
            shared = min(len(other.fields), len(path.fields))
            if other.fields[:shared] == path.fields[:shared]:
                raise ValueError(f"already bound by the {source}; remove this query parameter")
        target = _Target(self._setter(path, keyed[2] if keyed else None), path, path.leaf.is_repeated and not keyed)
        if len(self._known) < _REMEMBERED and len(name) <= _LONGEST_REMEMBERED and not keyed:
            self._known[name] = target
        return target

    def _setter(self, path: FieldPath, key: str | None) -> Setter:
        leaf = path.leaf
        if key is not None:
            return map_setter(path, key)
        if is_map(leaf):
            raise ValueError(f"missing map key; expected {leaf.json_name}[key]=value")
        if not is_scalar(leaf):
            if leaf.is_repeated:
                raise ValueError("a query cannot set a repeated message")
            kind = leaf.message_type
            if kind is not None and (kind.full_name in OPAQUE_MESSAGES or not kind.fields):
                raise ValueError(f"a query cannot set a {kind.full_name}")
            raise ValueError(f"a query cannot set a whole message; expected {leaf.json_name}.field=value")
        return setter(path, text_reader(leaf))


def _pairs(query: bytes, most: int) -> Iterator[tuple[str, str]]:
    if not query:
        return
    if query.count(b"&") >= most:
        raise invalid(Violation("", f"the query has more than {most} parameters"))
    plain = b"%" not in query and b"+" not in query
    if not plain and _MALFORMED.search(query):
        raise invalid(Violation("", "the query has a malformed percent escape"))
    decode: Callable[[str], str] = str if plain else _unquote
    try:
        text = query.decode()
        for part in text.split("&"):
            if part:
                name, _, value = part.partition("=")
                yield decode(name), decode(value)
    except UnicodeDecodeError:
        raise invalid(Violation("", "the query is not valid UTF-8")) from None


def _unquote(text: str) -> str:
    return unquote_plus(text, errors="strict")


def _parameters(system: Sequence[tuple[str, str]]) -> Parameters:
    pretty = ints = False
    for name, value in system:
        if name in ("$prettyPrint", "prettyPrint"):
            pretty = value in ("", "1", "true")
        elif name in ("$alt", "alt"):
            form, _, option = value.partition(";")
            if form != "json" or option not in ("", "enum-encoding=int"):
                raise invalid(Violation(name, "expected json or json;enum-encoding=int"))
            ints = bool(option)
    return Parameters(pretty=pretty, enums_as_ints=ints)
