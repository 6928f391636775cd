"""gRPC-Web and Connect: partly invalid envelopes, compression, base64 and queries."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from random import Random
from urllib.parse import quote, unquote

import grpc
from google.protobuf.descriptor import MethodDescriptor

from .client import Answer
from .generate import payload
from .judge import Input
from .kinds import METADATA, METHODS, OverHttp1, path_of
from .mutate import garbage, mutated, odd, size, text

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
_CONNECT = {code.name.lower(): code.name for code in grpc.StatusCode} | {"canceled": "CANCELLED"}


class Web(OverHttp1):
    """Calls over one of the two protocols on a kept connection."""

    name = "web"

    async def throw(self, dice: Random, number: int) -> None:
        method = dice.choice(METHODS)
        make = dice.choice((_grpc_web, _grpc_web, _connect_unary, _connect_stream, _connect_stream, _connect_get))
        thrown = Input(self.name, number, make(dice, method))
        answer = await self.ask(thrown)
        if answer is None:
            return
        kind = answer.headers.get(b"content-type", b"")
        if answer.status == 200 and kind.startswith(b"application/grpc-web"):
            self._trailers(thrown, answer, b"text" in kind)
        elif answer.status == 200 and kind.startswith(b"application/connect+"):
            self._end(thrown, answer)
        else:
            self.judge.http(thrown, answer.status, answer.body)

    def _trailers(self, thrown: Input, answer: Answer, text: bool) -> None:
        said = dict(answer.headers)
        body = _plain(answer.body) if text else answer.body
        for flags, data in _envelopes(body):
            if flags & 0x80:
                said |= dict(line.split(b":", 1) for line in data.split(b"\r\n") if b":" in line)
        if b"grpc-status" not in said:
            if answer.whole:
                self.judge.fault(thrown, f"no trailers: {answer.body[:300]!r}")
            self.judge.count(thrown, "cut")
            return
        message = unquote(said.get(b"grpc-message", b"").decode("latin-1"))
        self.judge.call(thrown, _CODES[int(said[b"grpc-status"])], message)

    def _end(self, thrown: Input, answer: Answer) -> None:
        ends = [data for flags, data in _envelopes(answer.body) if flags & 2]
        if not ends:
            if answer.whole:
                self.judge.fault(thrown, f"no end of the stream: {answer.body[:300]!r}")
            self.judge.count(thrown, "cut")
            return
        error = json.loads(ends[0]).get("error", {"code": "ok"})
        self.judge.call(thrown, _CONNECT[error["code"]], error.get("message", ""))


def _plain(data: bytes) -> bytes:
    return b"".join(base64.b64decode(data[at : at + 4]) for at in range(0, len(data) // 4 * 4, 4))


def _envelopes(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while len(data) >= 5 and len(data) >= 5 + (length := int.from_bytes(data[1:5], "big")):
        found.append((data[0], data[5 : 5 + length]))
        data = data[5 + length :]
    return found


def envelope(dice: Random, data: bytes) -> bytes:
    """Returns a message in an envelope that is sometimes invalid."""
    flags, length = 0, len(data)
    if dice.random() < 0.2:
        data = gzip.compress(data, mtime=0)
        flags, length = 1, len(data)
        if dice.random() < 0.4:
            data = mutated(dice, data)
    if dice.random() < 0.15:
        flags = dice.randrange(256)
    if dice.random() < 0.15:
        length = size(dice) & 0xFFFFFFFF
    return struct.pack(">BI", flags, length) + data


def bomb(dice: Random) -> bytes:
    """Returns a few kilobytes that decompress beyond the limit."""
    return struct.pack(">BI", 1, len(_BOMB)) + _BOMB


_BOMB = gzip.compress(bytes(8 << 20), mtime=0)


def body_of(dice: Random, method: MethodDescriptor) -> bytes:
    """Returns envelopes, in a number that the method may not accept."""
    if dice.random() < 0.01:
        return bomb(dice)
    count = dice.choice((0, 1, 2, 3)) if method.client_streaming else dice.choice((1, 1, 1, 1, 0, 2))
    body = b"".join(envelope(dice, payload(dice, method.input_type)) for _ in range(count))
    return mutated(dice, body) if dice.random() < 0.2 else body


def _post(dice: Random, target: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    for name, value in dice.sample(METADATA, dice.choice((0, 0, 1, 2))):
        written = base64.b64encode(value).decode() if isinstance(value, bytes) else value
        headers.append((name, written))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"POST {target} HTTP/1.1\r\nhost: localhost\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


def _grpc_web(dice: Random, method: MethodDescriptor) -> bytes:
    body = body_of(dice, method)
    kind = dice.choice(("application/grpc-web+proto", "application/grpc-web", "application/grpc-web-text"))
    if kind.endswith("text"):
        body = base64.b64encode(body)
        body = mutated(dice, body) if dice.random() < 0.3 else body
    headers = [("content-type", kind), ("grpc-timeout", dice.choice(("1S", "1S", "1S", "0n", "x", "100000000000S")))]
    if dice.random() < 0.2:
        headers.append(("grpc-encoding", dice.choice(("gzip", "br", "identity", "x"))))
    return _post(dice, path_of(method), headers, body)


def _json_or_proto(dice: Random, method: MethodDescriptor) -> tuple[str, bytes]:
    if dice.random() < 0.6:
        return "proto", payload(dice, method.input_type)
    names = [one.json_name for one in method.input_type.fields] or ["x"]
    body = text({dice.choice(names): odd(dice) for _ in range(dice.randrange(4))})
    return "json", mutated(dice, body) if dice.random() < 0.2 else body


def _connect_unary(dice: Random, method: MethodDescriptor) -> bytes:
    kind, body = _json_or_proto(dice, method)
    headers = [("content-type", f"application/{kind}"), ("connect-protocol-version", dice.choice(("1", "1", "2")))]
    if dice.random() < 0.2:
        headers.append(("content-encoding", dice.choice(("gzip", "br"))))
        body = mutated(dice, gzip.compress(body, mtime=0)) if dice.random() < 0.7 else body
    headers.append(("connect-timeout-ms", dice.choice(("1000", "1000", "1", "-1", "x", "1e3", "9" * 12))))
    return _post(dice, path_of(method), headers, body)


def _connect_stream(dice: Random, method: MethodDescriptor) -> bytes:
    kind = dice.choice(("proto", "proto", "json"))
    body = body_of(dice, method) if kind == "proto" else envelope(dice, _json_or_proto(dice, method)[1])
    headers = [("content-type", f"application/connect+{kind}"), ("connect-timeout-ms", "1000")]
    if dice.random() < 0.3:
        headers.append(("connect-content-encoding", dice.choice(("gzip", "br"))))
    return _post(dice, path_of(method), headers, body)


def _connect_get(dice: Random, method: MethodDescriptor) -> bytes:
    kind, data = _json_or_proto(dice, method)
    pairs = [("connect", "v1"), ("encoding", kind), ("message", quote(data))]
    if dice.random() < 0.6:
        pairs = [*pairs[:2], ("base64", "1"), ("message", base64.urlsafe_b64encode(data).decode().rstrip("="))]
    if dice.random() < 0.2:
        pairs.append(("compression", dice.choice(("gzip", "x"))))
    if dice.random() < 0.2:
        pairs[dice.randrange(len(pairs))] = (dice.choice(("message", "x", "base64")), quote(garbage(dice, 30)))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return f"GET {path_of(method)}?{query[:8000]} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
