"""Names the required fields of proto2 that a request lacks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import EncodeError, Message

from ..fields import map_entry
from ..status import Violation, invalid

# As many as an error lists at most.
_MOST = 20


def check_required(message: Message) -> None:
    """Raises INVALID_ARGUMENT that names each required field that the message, or one below it, lacks."""
    if not message.IsInitialized():
        missing = islice(missing_fields(message), _MOST)
        raise invalid(*(Violation(path, "missing required field") for path in missing))


def check_answer(message: Message) -> None:
    """Raises EncodeError for a message that lacks required fields, where SerializeToString may end the process."""
    if not message.IsInitialized():
        missing = ", ".join(islice(missing_fields(message), _MOST))
        raise EncodeError(f"{message.DESCRIPTOR.full_name} lacks required fields: {missing}")


def missing_fields(message: Message, path: str = "") -> Iterator[str]:
    """Yields the paths of the required fields that a message, or one below it, lacks.

    Not FindInitializationErrors: in protobuf 7.36 it reads freed memory behind a map of scalars, gives wrong paths and
    ends the process (SIGSEGV). So does SerializeToString of a message that lacks fields, which calls it.
    """
    fields: Any = message.DESCRIPTOR.fields
    for field in fields:
        if field.is_required and not message.HasField(field.name):
            yield path + field.name
    for field, value in message.ListFields():
        for at, below in _below(field, value):
            if not below.IsInitialized():
                yield from missing_fields(below, f"{path}{at}.")


def _below(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Message]]:
    """Yields the messages that a field holds, each with its path."""
    if field.message_type is None:
        return
    name = f"[{field.full_name}]" if field.is_extension else field.name
    entry = map_entry(field)
    if entry is not None:
        if entry[1].message_type is not None:
            yield from ((f"{name}[{key!r}]", value[key]) for key in value)
    elif field.is_repeated:
        yield from ((f"{name}[{at}]", one) for at, one in enumerate(value))
    else:
        yield name, value
