"""Makes functions that set a field, at any depth in a message, from text. They are made at start-up."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ..codec import Reader, text_reader
from ..fields import FieldPath, is_scalar, map_entry

Setter = Callable[[Message, str], None]
"""Sets one field from text. Raises ValueError that says what the field accepts."""


def owner_of(path: FieldPath) -> Callable[[Message], Message]:
    """Returns a function that finds the message of the leaf field, and creates the messages above it.

    It raises ValueError if another field is set of a oneof that holds the leaf or a message above it, since setting
    the one would clear the other.
    """
    above = tuple(field.name for field in path.fields[:-1])
    oneofs = _shared_oneofs(path)

    def walk(message: Message) -> Message:
        for name in above:
            message = getattr(message, name)
        message.SetInParent()
        return message

    def walk_oneofs(message: Message) -> Message:
        holders = [message]
        for name in above:
            holders.append(getattr(holders[-1], name))
        for depth, oneof in oneofs:  # before the last message is set, which sets those above it too
            name, other = path.fields[depth].name, holders[depth].WhichOneof(oneof)
            if other is not None and other != name:
                raise ValueError(f"only one of {other!r} and {name!r} may be set (oneof {oneof!r})")
        if above:
            holders[-1].SetInParent()
        return holders[-1]

    if oneofs:
        return walk_oneofs
    return walk if above else lambda message: message


def may_conflict(path: FieldPath) -> bool:
    """Returns whether a field, or a message above it, shares a oneof with other fields."""
    return bool(_shared_oneofs(path))


def _shared_oneofs(path: FieldPath) -> tuple[tuple[int, str], ...]:
    """Returns the depths in a path at which a field shares a oneof, each with its name; an `optional` has its own."""
    return tuple(
        (depth, oneof.name)
        for depth, field in enumerate(path.fields)
        if (oneof := field.containing_oneof) is not None and len(oneof.fields) > 1
    )


def setter(path: FieldPath, read: Reader) -> Setter:
    """Returns a setter that assigns the value that `read` parses, or appends it to a repeated field."""
    leaf, owner = path.leaf, owner_of(path)
    name = leaf.name
    if leaf.is_repeated:

        def append(message: Message, text: str) -> None:
            value = read(text)  # first: an invalid one creates no message
            getattr(owner(message), name).append(value)

        return append
    is_message = leaf.message_type is not None
    if len(path.fields) == 1 and not is_message and not may_conflict(path):  # nearly every path variable
        if leaf.type == FieldDescriptor.TYPE_STRING:
            return lambda message, text: setattr(message, name, text)
        return lambda message, text: setattr(message, name, read(text))

    def put(message: Message, text: str) -> None:
        value = read(text)
        holder = owner(message)
        if is_message:
            getattr(holder, name).CopyFrom(value)
        else:
            setattr(holder, name, value)

    return put


def map_setter(path: FieldPath, key: str) -> Setter:
    """Returns a setter for one entry of a map of scalars or enums."""
    leaf, owner = path.leaf, owner_of(path)
    found = map_entry(leaf)
    if found is None:
        raise ValueError(f"{leaf.json_name!r} is not a map")
    key_field, entry = found
    if not is_scalar(entry):
        raise ValueError("a query cannot set a map of messages")
    read = text_reader(entry)
    try:
        where = text_reader(key_field)(key)
    except ValueError as fault:
        raise ValueError(f"invalid key: {fault}") from None
    name = leaf.name

    def put(message: Message, text: str) -> None:
        value = read(text)
        entries = getattr(owner(message), name)
        if entry.message_type is not None:
            entries[where].CopyFrom(value)
        else:
            entries[where] = value

    return put
