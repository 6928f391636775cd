"""Query parameters to fields: which field a name means, and what is refused.

One `QueryBinder` a binding, made at start-up; it knows no HTTP beyond the raw query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from ..codec import DEFAULT, Parameters, Policy, text_reader
from ..fields import FieldPath, UnknownField, by_any_name, is_map, is_scalar, resolve
from ..status import Violation, invalid
from .setters import Setter, map_setter, setter

# Google's system parameters (cloud.google.com/apis/docs/system-parameters): never fields, unless the message has one
# of that name.
SYSTEM = frozenset(
    (
        *("$alt", "alt", "$callback", "callback", "$fields", "fields", "$key", "key", "$prettyPrint", "prettyPrint"),
        *("$.xgafv", "$userProject", "quotaUser", "access_token", "oauth_token", "uploadType", "upload_protocol"),
        "$apiVersion",
    )
)
_KEYED = re.compile(r"([^\[\]]+)\[(.*)\]", re.DOTALL)
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Names seen and understood are remembered; a client that makes names up must not fill the memory.
_REMEMBERED, _LONGEST_REMEMBERED = 2048, 200


@dataclass(frozen=True, slots=True)
class _Target:
    set: Setter
    path: FieldPath
    repeated: bool


class QueryBinder:
    """Sets the fields of one request message that neither the path nor the body has.

    `taken` are the fields with another source, each with its name ("path" or "body"); `closed` is true where the body
    covers everything, so that no parameter can name a field.
    """

    def __init__(
        self, message: Descriptor, taken: Sequence[tuple[FieldPath, str]], *, policy: Policy, most: int
    ) -> None:
        self._message, self._taken, self._policy, self._most = message, tuple(taken), policy, most
        self._system = SYSTEM - by_any_name(message).keys()
        self._known: dict[str, _Target] = {}

    def bind(self, request: Message, query: bytes, warnings: list[str], *, closed: str | None = None) -> Parameters:
        """Set what the query says on `request`; raises INVALID_ARGUMENT naming each parameter at fault.

        `closed`, where it is given, says why no field may come from the query at all.
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
                        raise ValueError("the parameter is given twice, and the field holds one value")
                    seen.add(key)
                target.set(request, value)
            except ValueError as fault:
                faults.append(Violation(name, str(fault)))
        if faults:
            raise invalid(*faults[:20])
        return _parameters(system) if system else DEFAULT

    def parameters(self, query: bytes) -> Parameters:
        """The system parameters of a query. Raises INVALID_ARGUMENT for one that cannot be read."""
        system = [pair for pair in _pairs(query, self._most) if pair[0] in self._system]
        return _parameters(system) if system else DEFAULT

    def _resolve(self, name: str) -> _Target | None:
        """The field a parameter means, or None where nobody knows it and the policy lets it pass."""
        keyed = _KEYED.fullmatch(name)
        dotted = keyed[1] if keyed else name
        try:
            path = resolve(self._message, dotted)
        except UnknownField as unknown:
            if self._policy == "strict":
                raise ValueError(str(unknown)) from None
            return None
        for other, source in self._taken:
            shared = min(len(other.fields), len(path.fields))
            if other.fields[:shared] == path.fields[:shared]:
                raise ValueError(f"the field comes from the {source}, and no field has two sources")
        target = _Target(self._setter(path, keyed[2] if keyed else None), path, path.leaf.is_repeated and not keyed)
        if len(self._known) < _REMEMBERED and len(name) <= _LONGEST_REMEMBERED and not keyed:
            self._known[name] = target
        return target

    def _setter(self, path: FieldPath, key: str | None) -> Setter:
        leaf = path.leaf
        if key is not None:
            return map_setter(path, key)
        if is_map(leaf):
            raise ValueError(f"a map is written key by key, as {leaf.json_name}[key]=value")
        if not is_scalar(leaf):
            if leaf.is_repeated:
                raise ValueError("a repeated message cannot stand in a query")
            raise ValueError("a message cannot stand in a query: name its fields, separated by dots")
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
        raise invalid(Violation("", "the query is not UTF-8")) from None


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
                raise invalid(Violation(name, "json or json;enum-encoding=int is expected"))
            ints = bool(option)
    return Parameters(pretty=pretty, enums_as_ints=ints)
