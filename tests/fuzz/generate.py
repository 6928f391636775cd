"""Nearly valid input: requests from an OpenAPI document, wire messages from descriptors."""

from __future__ import annotations

import struct
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from .mutate import NUMBERS, STRINGS, garbage, mutated, nested, odd, size, text, varint

_VERBS = ("get", "post", "put", "patch", "delete")
_TYPES = (
    *(
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "application/octet-stream",
        "multipart/form-data",
    ),
    *("application/x-ndjson", "application/json+x", "", "a/b; c=", "application/x-www-form-urlencoded", "image/png"),
)
_ACCEPT = ("*/*", "application/json", "text/event-stream", "application/x-ndjson", "a", "text/html;q=0", "")
_HEADERS = (
    ("grpc-timeout", "1S"), ("grpc-timeout", "-1S"), ("grpc-timeout", "99999999H"), ("x-server-timeout", "0.05"),
    ("x-server-timeout", "nan"), ("x-server-timeout", "1e400"), ("x-bin", "AA"), ("trace-bin", "***"),
    ("y-bin", "AAE="),
    ("content-encoding", "gzip"), ("content-encoding", "br"), ("accept-encoding", "gzip;q=x"),
    ("expect", "100-continue"),
    ("range", "bytes=5-1"), ("range", "bytes=0-,1-"), ("if-none-match", '"'), ("cookie", "a=b; c"), ("origin", "null"),
    ("x-forwarded-for", "::1, x"), ("forwarded", "for=;"), ("traceparent", "00-0-0-0"), ("x-request-id", "a" * 5000),
    ("x-http-method-override", "DELETE"), ("authorization", "Bearer " + "a" * 9000), ("x-high", "\xff\xfe"),
    ("last-event-id", "x"), ("connection", "upgrade"), ("upgrade", "h2c"), ("te", "trailers"), ("trailer", "x"),
)  # fmt: skip


class Requests:
    """HTTP/1.1 requests that mostly conform to a document."""

    def __init__(self, document: dict[str, Any], authority: str) -> None:
        self._document, self._authority = document, authority
        self._operations = [
            (path, verb, operation)
            for path, item in document["paths"].items()
            for verb, operation in item.items()
            if verb in _VERBS
        ]

    def make(self, dice: Random) -> bytes:
        """Returns the bytes of one request with valid framing."""
        path, verb, operation = dice.choice(self._operations)
        parameters = [self._resolved(one) for one in operation.get("parameters", ())]
        target = self._path(dice, path, parameters) + self._query(dice, parameters)
        kind, body = self._body(dice, operation)
        if dice.random() < 0.03:
            verb = dice.choice(("PURGE", "OPTIONS", "TRACE", "get", "X" * 20, *_VERBS))
        headers = self._headers(dice, kind)
        head = f"{verb if verb == 'get' and dice.random() < 0.02 else verb.upper()} {target} HTTP/1.1\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        length = "" if verb in ("get", "delete") and not body else f"content-length: {len(body)}\r\n"
        return (head + f"host: {self._authority}\r\n" + lines + length + "\r\n").encode("latin-1", "replace") + body

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            schema = found
        return schema

    def _path(self, dice: Random, path: str, parameters: list[dict[str, Any]]) -> str:
        for one in parameters:
            if one["in"] == "path":
                value = dice.choice(("1", "special", "soup", self._scalar(dice, one)))
                path = path.replace("{" + one["name"] + "}", quote(value, safe=dice.choice(("", "/", ":/%"))))
        if dice.random() < 0.1:
            path = quote(mutated(dice, path.encode()), safe=dice.choice(("/", "/:%{}", "/:%?#[]@!$&'()*+,;=")))
        return path if path.startswith("/") else "/" + path

    def _query(self, dice: Random, parameters: list[dict[str, Any]]) -> str:
        named = [one for one in parameters if one["in"] == "query"]
        pairs = [(one["name"], self._scalar(dice, one)) for one in named if dice.random() < min(0.5, 4 / len(named))]
        if dice.random() < 0.1:
            name = dice.choice(
                ("$alt", "$fields", "$prettyPrint", "key", "a.b", "filter." * 90, "ingredient.parts.name", "")
            )
            pairs.append((name, text(odd(dice)).decode()[:500]))
        encoded = urlencode(pairs, errors="surrogatepass")
        if encoded and dice.random() < 0.1:
            encoded = quote(mutated(dice, encoded.encode()), safe="%&=+")
        return f"?{encoded}" if encoded else ""

    def _scalar(self, dice: Random, one: dict[str, Any]) -> str:
        made = odd(dice) if dice.random() < 0.2 else self.value(dice, one.get("schema", {}), 0)
        if isinstance(made, list):
            made = made[0] if made else ""
        if isinstance(made, list | dict):
            return text(made).decode()[:2000]
        return (str(made).lower() if isinstance(made, bool) else str(made))[:2000]

    def _body(self, dice: Random, operation: dict[str, Any]) -> tuple[str, bytes]:
        content = self._resolved(operation.get("requestBody", {})).get("content", {})
        if not content:
            return "", garbage(dice) if dice.random() < 0.05 else b""
        kind = dice.choice(list(content))
        schema = content[kind].get("schema", content[kind].get("itemSchema", {}))
        if kind.startswith("multipart/"):
            return _multipart(dice, [str(name) for name in self._resolved(schema).get("properties", {"data": 0})])
        if "json" not in kind:
            return kind.replace("*", "x"), garbage(dice, 2000)
        value = self.value(dice, schema, 0)
        body = text(value) if not kind.endswith("ndjson") else b"\n".join(text(value) for _ in range(dice.randrange(4)))
        if dice.random() < 0.25:
            body = mutated(dice, body)
        if dice.random() < 0.1:
            body = body.replace(b'"a', rb'"\ud800') + dice.choice((b"", b"x", b"\xff", b"[", b"\n\n"))
        return kind, body

    def _headers(self, dice: Random, kind: str) -> list[tuple[str, str]]:
        headers = [dice.choice(_HEADERS) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
        if dice.random() < 0.1:
            kind = dice.choice(_TYPES)
        if kind:
            headers.append(("content-type", kind))
        if dice.random() < 0.5:
            headers.append(("accept", dice.choice(_ACCEPT)))
        return headers

    def value(self, dice: Random, schema: dict[str, Any], depth: int) -> Any:
        """Returns a value that the schema mostly allows."""
        if dice.random() < 0.04:
            return odd(dice)
        schema = self._resolved(schema)
        for several in ("oneOf", "anyOf", "allOf"):
            if several in schema:
                return self.value(dice, dice.choice(schema[several]), depth + 1)
        if "enum" in schema:
            return dice.choice(schema["enum"])
        kind = schema.get("type", "object")
        if isinstance(kind, list):
            kind = dice.choice(kind)
        if kind in ("object", "array"):
            return self._container(dice, schema, kind, depth)
        if kind == "string":
            return _string(dice, schema)
        if kind in ("integer", "number"):
            return dice.choice((0, 1, 2, 7, dice.randint(-(2**31), 2**31), dice.choice(NUMBERS)))
        return dice.random() < 0.5

    def _container(self, dice: Random, schema: dict[str, Any], kind: str, depth: int) -> Any:
        if depth > 6:
            return {} if kind == "object" else []
        if kind == "array":
            return [self.value(dice, schema.get("items", {}), depth + 1) for _ in range(dice.randrange(4))]
        properties = schema.get("properties", {})
        share = min(0.6, 5 / (len(properties) or 1))
        made = {name: self.value(dice, one, depth + 1) for name, one in properties.items() if dice.random() < share}
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            made |= {str(_string(dice, {})): self.value(dice, more, depth + 1) for _ in range(dice.randrange(3))}
        if dice.random() < 0.05:
            made[str(dice.choice(STRINGS))] = odd(dice)
        return made


def _string(dice: Random, schema: dict[str, Any]) -> str:
    form = schema.get("format")
    if dice.random() < 0.15:
        return str(dice.choice(STRINGS))
    if form in ("int64", "uint64"):
        return str(dice.choice(NUMBERS[:9]))
    if form == "date-time":
        return "2026-11-21T12:00:00Z"
    if schema.get("pattern", "").endswith("s$"):
        return "1.5s"
    return "".join(chr(dice.choice((dice.randint(97, 122), dice.randint(32, 0x2FF)))) for _ in range(dice.randrange(9)))


def _multipart(dice: Random, names: list[str]) -> tuple[str, bytes]:
    parts = b""
    for _ in range(dice.randrange(4)):
        name = dice.choice([*names, "x", "", "a.b"])
        file = '; filename="f"' if dice.random() < 0.5 else ""
        kind = dice.choice(("", "content-type: application/json\r\n", "content-type: text/plain\r\n"))
        head = f'--B\r\ncontent-disposition: form-data; name="{name}"{file}\r\n{kind}\r\n'
        parts += head.encode() + dice.choice((garbage(dice), b"1", text(nested(2, False)))) + b"\r\n"
    body = parts + b"--B--\r\n"
    return "multipart/form-data; boundary=B", mutated(dice, body) if dice.random() < 0.5 else body


def message(dice: Random, kind: Descriptor, depth: int = 0) -> bytes:
    """Returns a serialized message: fields of the descriptor, mostly with their own wire type."""
    made = b""
    fields = list(kind.fields)
    for _ in range(dice.randrange(6) if fields else 0):
        one = dice.choice(fields)
        if dice.random() < 0.05:
            made += _any_field(dice, one.number)
        else:
            made += _field(dice, one, depth)
    if dice.random() < 0.05:
        made += _any_field(dice, dice.choice((0, 15, 1000, 19000, 2**29 - 1, 2**29)))
    return made


def _field(dice: Random, one: FieldDescriptor, depth: int) -> bytes:
    kind = one.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        assert one.message_type is not None
        data = b"" if depth > 8 else message(dice, one.message_type, depth + 1)
        return varint(one.number << 3 | 2) + varint(len(data)) + data
    if kind == FieldDescriptor.CPPTYPE_STRING:
        data = garbage(dice, 9) if dice.random() < 0.1 else str(dice.choice(STRINGS)).encode()
        return varint(one.number << 3 | 2) + varint(len(data)) + data
    if one.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64):
        return varint(one.number << 3 | 1) + dice.randbytes(8)
    if one.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32):
        return varint(one.number << 3 | 5) + dice.randbytes(4)
    return varint(one.number << 3) + varint(dice.choice((0, 1, 2, 3, size(dice), dice.getrandbits(64))))


def _any_field(dice: Random, number: int) -> bytes:
    kind = dice.randrange(8)
    tag = varint(number << 3 | kind)
    if kind == 2:
        return tag + varint(size(dice)) + garbage(dice, 20)
    if kind == 3:
        return tag * dice.choice((1, 200)) + varint(number << 3 | 4)
    return tag + dice.choice((garbage(dice, 10), b"\xff" * 11, struct.pack("<d", float("nan"))))


def payload(dice: Random, kind: Descriptor) -> bytes:
    """Returns a message that is valid, mutated, or random bytes."""
    if dice.random() < 0.1:
        return garbage(dice)
    made = message(dice, kind)
    return mutated(dice, made) if dice.random() < 0.4 else made
