"""Reads requests for vectors in OpenAI's form, and writes the answers.

Vectors are written as numbers or, as OpenAI's own client asks, as base64 of their bytes.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import numpy as np

from artificer.openai.v1 import openai_service_pb2 as pb

from ..models.values import Embedded, ModelInfo, Vectors
from .chat_checks import Faults

_DECIMALS = 9  # of a number; a 32-bit value above 0.02 has no more
# A Value of a number in the wire form of ListValue: tag and length, then the tag of `number_value` and a double. Adding
# numbers to a ListValue one by one takes 20 times as long.
_NUMBER = np.dtype([("tags", "S3"), ("value", "<f8")])
_MANY = 65536  # values of vectors; writing them takes 6 ms
_TAGS = b"\x0a\x09\x11"


def texts_in(request: pb.CreateEmbeddingsRequest, info: ModelInfo, most: int) -> list[str]:
    """Returns the texts of a request, of which there may be `most`. Raises Invalid."""
    faults = Faults()
    several = request.input.HasField("list_value")
    values = list(request.input.list_value.values) if several else [request.input]
    kinds = [value.WhichOneof("kind") for value in values]
    if not values or (not several and kinds != ["string_value"]):
        faults.add("input", "expected a text, or a list of texts")
    elif len(values) > most:
        faults.add("input", f"the request has {len(values):,} texts; at most {most:,} are accepted")
    elif "number_value" in kinds or "list_value" in kinds:
        faults.add("input", "lists of tokens are not supported; send texts")
    else:
        for number, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            path = f"input[{number}]" if several else "input"
            if kind != "string_value":
                faults.add(path, "expected a text")
            elif not value.string_value:
                faults.add(path, "the text is empty")
    if request.encoding_format not in ("", "float", "base64"):
        faults.add("encoding_format", "expected float or base64")
    if request.HasField("dimensions") and request.dimensions != info.dimension:
        faults.add("dimensions", f"the vectors of {info.name} have {info.dimension} values, and are not shortened")
    faults.check()
    return [value.string_value for value in values]


async def embeddings_out(made: Embedded, name: str, *, as_base64: bool) -> pb.CreateEmbeddingsResponse:
    """Returns the answer with all vectors; many are written in a thread."""
    if made.vectors.size > _MANY:
        return await asyncio.to_thread(_response, made, name, as_base64)
    return _response(made, name, as_base64)


def _response(made: Embedded, name: str, as_base64: bool) -> pb.CreateEmbeddingsResponse:
    usage = pb.Usage(prompt_tokens=made.tokens, total_tokens=made.tokens)
    response = pb.CreateEmbeddingsResponse(object="list", model=name, usage=usage)
    rows = _as_little_endian(made.vectors) if as_base64 else _as_wire(made.vectors)
    for number, row in enumerate(rows):
        item = response.data.add(object="embedding", index=number)
        if as_base64:
            item.embedding.string_value = base64.b64encode(row).decode()
        else:
            item.embedding.list_value.ParseFromString(row)
    return response


def _as_little_endian(vectors: Vectors) -> Iterator[bytes]:
    return (row.tobytes() for row in vectors.astype("<f4"))


def _as_wire(vectors: Vectors) -> Iterator[bytes]:
    """Yields each vector as a ListValue of numbers in protobuf's wire form."""
    wire = np.empty(vectors.shape, _NUMBER)
    wire["tags"] = _TAGS
    wire["value"] = np.round(vectors.astype(np.float64), _DECIMALS)
    return (row.tobytes() for row in wire)
