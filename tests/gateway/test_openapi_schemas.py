"""The schemas against the codec and the binder, both ways: responses fit, and what fits is accepted."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from artificer.ocr.v1 import ocr_service_pb2 as ocr
from diptych.bind import Binder, ContentType
from diptych.codec import Codec, JsonOptions
from diptych.openapi.scalars import up_to
from diptych.settings import Settings
from kitchen.v1 import kitchen_service_pb2 as pb

from .described import Json, bound, described, only, validator
from .messages import messages

CODEC = Codec([pb.DESCRIPTOR, ocr.DESCRIPTOR])
FALLBACK = Codec([pb.DESCRIPTOR, ocr.DESCRIPTOR], engine="fallback")
PLAIN = described(unbound=True)
# Messages with every kind of field are slow to draw, not wrong.
relaxed = hypothesis_settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def refer(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize("codec", [CODEC, FALLBACK], ids=["native", "fallback"])
@pytest.mark.parametrize(
    "chosen",
    [{}, {"preserve_names": True}, {"enums_as_ints": True}, {"emit_defaults": False}, {"unknown_fields": "ignore"}],
    ids=str,
)
def test_responses_fit_their_schemas(codec: Codec, chosen: Json) -> None:
    settings = Settings(**chosen)
    options = JsonOptions(
        emit_defaults=settings.emit_defaults,
        preserve_names=settings.preserve_names,
        enums_as_ints=settings.enums_as_ints,
    )
    encode = codec.encoder(pb.EchoRequest, options)
    schema = validator(described(**chosen), refer("kitchen.v1.EchoRequest"))

    @relaxed
    @given(message=messages(pb.EchoRequest.DESCRIPTOR))
    def check(message: Message) -> None:
        schema.validate(json.loads(encode(message)))

    check()


@pytest.mark.parametrize("descriptor", [*ocr.DESCRIPTOR.message_types_by_name.values()], ids=lambda one: one.name)
def test_ocr_messages_fit_full_and_empty(descriptor: Descriptor) -> None:
    @relaxed
    @given(message=messages(descriptor))
    def check(message: Message) -> None:
        encode, schema = CODEC.encoder(type(message), JsonOptions()), validator(PLAIN, refer(descriptor.full_name))
        schema.validate(json.loads(encode(message)))
        schema.validate(json.loads(encode(type(message)())))

    check()


@pytest.mark.parametrize(
    ("codec", "path", "verb", "made"),
    [
        (CODEC, "/v1/echo", "post", pb.EchoRequest),
        (FALLBACK, "/v1/echo", "post", pb.EchoRequest),
        (CODEC, "/v1/dishes/{dishId}", "put", pb.Dish),
        (CODEC, "/v1/dishes/{dishId}", "patch", pb.Dish),
        (CODEC, "/v1/dishes/{dishId}:cook", "post", pb.CookDishRequest),
        (CODEC, "/v1/blobs", "post", pb.UploadBlobRequest),
        (CODEC, "/v1/documents:process", "post", ocr.ProcessPDFRequest),
    ],
    ids=["echo", "echo by the fallback", "put", "patch", "custom verb", "bytes", "ocr"],
)
def test_bodies_that_fit_the_schema_are_accepted(codec: Codec, path: str, verb: str, made: type[Message]) -> None:
    decode = codec.decoder(made)
    document = only(_known_any(PLAIN), path, verb, "application/json")
    operation = schemathesis.openapi.from_dict(document)[path][verb.upper()]

    @relaxed
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        decode(json.dumps(case.body).encode(), [])

    check()


def _known_any(made: Json) -> Json:
    """Returns the document with an Any of a known type: which types are known is not a matter of schemas."""
    known = {
        "type": "object",
        "properties": {"@type": {"const": "type.googleapis.com/kitchen.v1.CookDishRequest"}},
        "required": ["@type"],
        "additionalProperties": False,
    }
    components = {**made["components"], "schemas": {**made["components"]["schemas"], "google.protobuf.Any": known}}
    return {**made, "components": components}


@pytest.mark.parametrize(
    ("path", "field"),
    [("/v1/echo/list", "strings"), ("/v1/echo/map", "labels"), ("/v1/echo/scalar", "int64_value")],
)
def test_a_field_as_the_whole_body_of_request_and_response(path: str, field: str) -> None:
    """body and response_body: the request's schema accepts the drawn value, and the response's schema the answer."""
    descriptor = pb.EchoRequest.DESCRIPTOR.fields_by_name[field]
    decode = CODEC.field_decoder(pb.EchoRequest, descriptor)
    encode = CODEC.field_encoder(pb.EchoRequest, descriptor, JsonOptions())
    operation = PLAIN["paths"][path]["post"]
    schema = validator(PLAIN, operation["responses"]["200"]["content"]["application/json"]["schema"])
    document = only(PLAIN, path, "post", "application/json")
    drawn = schemathesis.openapi.from_dict(document)[path]["POST"].as_strategy()

    @relaxed
    @given(case=drawn)
    def check(case: Any) -> None:
        schema.validate(json.loads(encode(decode(json.dumps(case.body).encode(), []))))

    check()


@pytest.mark.parametrize("path", ["/v1/echo", "/v1/dishes", "/v1/inspect", "/v1/ticks"])
def test_queries_that_fit_the_schema_are_accepted(path: str) -> None:
    drawn = schemathesis.openapi.from_dict(only(PLAIN, path, "get"))[path]["GET"].as_strategy()
    method, binding = next(pair for pair in bound() if pair[1].verb == "GET" and pair[1].template.text == path)
    binder = Binder(method, binding, CODEC, Settings())

    @relaxed
    @given(case=drawn)
    def check(case: Any) -> None:
        query = case.as_transport_kwargs(base_url="http://test")["params"] or {}
        # Only the description can say: at most one field of each oneof.
        for group in ({"choiceString", "choiceInt", "choiceIngredient"}, {"byHand", "byScale"}):
            told = {".".join(name.split(".")[: depth + 1]) for name in query for depth in range(name.count(".") + 1)}
            for prefix in ("", "ingredient.", "choiceIngredient.", "filter.contains."):
                assume(sum(prefix + name in told for name in group) < 2)
        text = urlencode([(name, _text(value)) for name, value in _flat(query)])
        binder.bind((), text.encode(), b"", ContentType("", ""), [])

    check()


def _flat(query: Json) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for name, value in query.items():
        pairs.extend((name, one) for one in value) if isinstance(value, list) else pairs.append((name, value))
    return pairs


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("limit", [1, 9, 10, 19, 100, 255, 1000, 2047, 90_210])
def test_upper_bounds_are_exact(limit: int) -> None:
    schema = validator(PLAIN, {"type": "string", "pattern": f"^(?:{up_to(limit)})$"})
    assert [number for number in range(limit + 300) if schema.is_valid(str(number))] == list(range(1, limit + 1))
    assert not schema.is_valid("01")


@relaxed
@given(number=st.integers(-(2**64), 2**65))
def test_64_bit_integers_are_exact(number: int) -> None:
    signed, unsigned = validator(PLAIN, refer("Int64")), validator(PLAIN, refer("UInt64"))
    assert signed.is_valid(str(number)) == (-(2**63) <= number < 2**63)
    assert unsigned.is_valid(str(number)) == (0 <= number < 2**64)
