"""Checks before a measurement that every server gives the same answer: otherwise they would not do the same work."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Sequence

from google.protobuf import json_format
from google.protobuf.message import Message

from bench.process import Server
from bench.request import Request
from kitchen.v1 import kitchen_service_pb2 as pb


def check(servers: Sequence[Server], request: Request) -> None:
    """Raises RuntimeError unless all answers are the same JSON."""
    _compare(servers, request, json.loads)


def check_connect(servers: Sequence[Server], request: Request) -> None:
    """Raises RuntimeError unless all answers are the same dish: connectrpc omits defaults from its JSON."""

    def dish(body: bytes) -> Message:
        as_json = request.content_type == "application/json"
        return json_format.Parse(body, pb.Dish()) if as_json else pb.Dish.FromString(body)

    _compare(servers, request, dish)


def _compare(servers: Sequence[Server], request: Request, read: Callable[[bytes], object]) -> None:
    answers = {one.name: read(_ask(one, request)) for one in servers}
    first = next(iter(answers))
    for other, answer in answers.items():
        if answer != answers[first]:
            raise RuntimeError(f"{request.path}: {other} answers {answer!r}, {first} {answers[first]!r}")


def _ask(one: Server, request: Request) -> bytes:
    headers = {**request.headers, **one.headers}
    if request.body:
        headers["content-type"] = request.content_type
    asked = urllib.request.Request(
        f"http://127.0.0.1:{one.http}{request.path}", request.body or None, headers, method=request.verb
    )
    with urllib.request.urlopen(asked) as answer:
        body: bytes = answer.read()
        return body
