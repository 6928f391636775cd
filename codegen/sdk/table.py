"""The text of `artificer/_methods.py`: the table of methods."""

from __future__ import annotations

from . import models
from .contracts import Rpc
from .naming import Placed
from .signature import HTTP_BODY

_EMPTY = "google.protobuf.Empty"


def text(every: list[Placed]) -> str:
    """Returns the text of the module."""
    lines = [
        '"""Every method with its REST binding. Generated from the protos by codegen/sdk; do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Any",
        "",
        "from ._method import Kind, Method, Resume",
        "from . import types",
        "from .types.base import HttpBody",
        "",
    ]
    for service in dict.fromkeys(one.rpc.name.partition("/")[0] for one in every):
        lines += ["", f"class {service.rpartition('.')[2]}:", f'    """Methods of {service}."""', ""]
        lines += [_row(one) for one in every if one.rpc.name.startswith(f"{service}/")]
    lines += ["", "", "METHODS: dict[str, Method[Any, Any]] = {"]
    lines += [f'    "{one.rpc.name}": {constant(one)},' for one in every]
    lines += ["}", '"""Every method by its full name."""', ""]
    return "\n".join(lines)


def constant(one: Placed) -> str:
    """Returns the name of a method in the table: `BatchService.GET_JOB`."""
    return f"{one.rpc.name.partition('/')[0].rpartition('.')[2]}.{one.constant}"


def typed(name: str, rpc: Rpc) -> str:
    """Returns the annotation of a message."""
    if name == HTTP_BODY:
        return "HttpBody"
    if name == _EMPTY:
        return "None"
    message = rpc.contracts.messages[name]
    return f"types.{models.domain(message.package)}.{name[len(message.package) + 1 :]}"


def _row(one: Placed) -> str:
    verb, template, body = one.rpc.binding
    proto = one.rpc.proto
    kind = {
        (False, False): "UNARY",
        (False, True): "SERVER_STREAM",
        (True, False): "CLIENT_STREAM",
        (True, True): "DUPLEX",
    }[proto.client_streaming, proto.server_streaming]
    more = ""
    if one.safe:
        more += ", safe=True"
    if one.idempotency:
        more += f', idempotency="{one.idempotency}"'
    if one.content:
        more += f', content="{one.content}"'
    if one.resume:
        more += f', resume=Resume("{one.resume[0]}", "{one.resume[1]}")'
    response = "type(None)" if one.rpc.response.name == _EMPTY else typed(one.rpc.response.name, one.rpc)
    return (
        f'    {one.constant} = Method("{one.rpc.name}", "{verb}", "{template}", "{body}", Kind.{kind}, '
        f"{typed(one.rpc.request.name, one.rpc)}, {response}{more})"
    )
