"""What protobuf's conformance runner starts: answers its requests by every engine of the JSON codec.

`python -m tests.conformance.json_testee DESCRIPTORS`: the file has the suite's protos. A case on which the engines
differ fails, and one without JSON is skipped. `conformance.proto` describes the requests, which come over stdin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, get_args

from google.protobuf import (  # noqa: F401  # the suite's protos import their files
    any_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from diptych.codec import Codec, Decoder, Encoder, Engine, JsonOptions, Policy
from diptych.status import StatusError

# WireFormat and TestCategory of conformance.proto.
_PROTOBUF, _JSON = 1, 2
_IGNORE_UNKNOWN = 3

Answer = dict[str, Any]
"""The one field of a ConformanceResponse."""


def main(descriptors: str) -> None:
    """Answers requests until the runner closes its end; each message follows its length."""
    for file in FileDescriptorSet.FromString(Path(descriptors).read_bytes()).file:
        descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    request_class, response_class = (
        _class_of("conformance.ConformanceRequest"),
        _class_of("conformance.ConformanceResponse"),
    )
    testees = {engine: Testee(engine) for engine in get_args(Engine)}
    while (read := _read(sys.stdin.buffer)) is not None:
        request = request_class.FromString(read)
        response = response_class(**agreed({name: one.answer(request) for name, one in testees.items()}))
        written = response.SerializeToString()
        sys.stdout.buffer.write(len(written).to_bytes(4, "little") + written)
        sys.stdout.buffer.flush()


def agreed(answers: dict[str, Answer]) -> Answer:
    """Returns the engines' answer, or one that fails the case if they differ.

    The order of members is not compared: that of a map's entries is chance, and each engine parses its own message.
    """
    first, *others = answers.values()
    if all(_value(other) == _value(first) for other in others):
        return first
    return {"runtime_error": f"the engines differ: {answers}"}


def _value(answer: Answer) -> Answer:
    text = answer.get("json_payload")
    return answer if text is None else {"json_payload": json.loads(text, parse_int=str, parse_float=str)}


class Testee:
    """Answers by one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._decoder: Callable[[str, Policy], Decoder] = cache(self._make_decoder)
        self._encoder: Callable[[str], Encoder] = cache(self._make_encoder)

    def answer(self, request: Any) -> Answer:
        """Parses the payload and prints it in the format that is asked for."""
        name, kind, wanted = request.message_type, request.WhichOneof("payload"), request.requested_output_format
        if name == "conformance.FailureSet":  # the first request asks which cases may fail: none
            return {"protobuf_payload": b""}
        if (kind, wanted) not in _FORMATS:
            return {"skipped": "not JSON"}
        try:
            if kind == "json_payload":
                policy: Policy = "ignore" if request.test_category == _IGNORE_UNKNOWN else "strict"
                message = self._decoder(name, policy)(request.json_payload.encode(), [])
            else:
                message = _class_of(name).FromString(request.protobuf_payload)
        except (StatusError, DecodeError) as refused:
            return {"parse_error": str(refused)}
        if wanted == _PROTOBUF:
            return {"protobuf_payload": message.SerializePartialToString(deterministic=True)}
        try:
            return {"json_payload": self._encoder(name)(message).decode()}
        except Exception as unprintable:
            return {"serialize_error": str(unprintable)}

    def _make_decoder(self, name: str, policy: Policy) -> Decoder:
        made = _class_of(name)
        return Codec([made.DESCRIPTOR.file], engine=self._engine, policy=policy).decoder(made)

    def _make_encoder(self, name: str) -> Encoder:
        made = _class_of(name)
        return Codec([made.DESCRIPTOR.file], engine=self._engine).encoder(made, JsonOptions(emit_defaults=False))


_FORMATS = {("json_payload", _JSON), ("json_payload", _PROTOBUF), ("protobuf_payload", _JSON)}


@cache
def _class_of(name: str) -> Any:
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))


def _read(source: BinaryIO) -> bytes | None:
    head = source.read(4)
    return source.read(int.from_bytes(head, "little")) if len(head) == 4 else None


if __name__ == "__main__":
    main(*sys.argv[1:])
