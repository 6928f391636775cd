"""What tests of the codec share: its engines, and what a refusal says."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from google.rpc.error_details_pb2 import BadRequest

from diptych.codec import Codec, Decoder, Engine
from diptych.status import StatusError, Violation
from kitchen.v1 import kitchen_service_pb2 as kitchen

# Without the Rust extension "wire" is the same as "native".
ENGINES: tuple[Engine, ...] = get_args(Engine)
CODECS = {engine: Codec([kitchen.DESCRIPTOR], engine=engine) for engine in ENGINES}
ECHO = {engine: codec.decoder(kitchen.EchoRequest) for engine, codec in CODECS.items()}

each = pytest.mark.parametrize("engine", ENGINES)


def echo(**fields: Any) -> kitchen.EchoRequest:
    return kitchen.EchoRequest(**fields)


def violations(error: StatusError) -> list[Violation]:
    """Returns the field violations of a refusal."""
    assert error.status.http_status == 400
    bad = BadRequest()
    assert error.status.details[0].Unpack(bad)
    return [Violation(item.field, item.description) for item in bad.field_violations]


def refused(decode: Decoder, body: bytes) -> list[Violation]:
    with pytest.raises(StatusError) as caught:
        decode(body, [])
    return violations(caught.value)
