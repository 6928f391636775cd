"""Between models and protobuf messages, for gRPC. A type's conversion is made once, when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from ..errors import FieldViolation, InvalidRequestError
from ..types.base import Model, OpenEnum

Convert = Callable[[Any], Any]
Write = Callable[[Any, Message], None]
_VALUE = "google.protobuf.Value"  # of which None is JSON's null


@cache
def message_type(model: type[Model]) -> type[Message]:
    """Returns the protobuf class of a model."""
    module, _, name = model.__proto__.partition(":")
    file = importlib.import_module(module).DESCRIPTOR
    descriptor = file.message_types_by_name[name[len(file.package) + 1 :]]
    return cast("type[Message]", descriptor._concrete_class)


def to_message(model: Model) -> Message:
    """Returns the message of a model, with the fields that are set."""
    message = message_type(type(model))()
    _fill(model, message)
    return message


@cache
def reader(model: type[Model]) -> Convert:
    """Returns what makes a model of a message; nothing is validated, since the message has been."""
    model.model_rebuild()
    fields = {
        field: (field.name, _reading(model, field))
        for field in message_type(model).DESCRIPTOR.fields
        if field.name in model.model_fields  # google.api.HttpBody's `extensions` is in no model
    }
    fixed = {name: info.default for name, info in model.model_fields.items()}
    mutable = {name: type(value) for name, value in fixed.items() if isinstance(value, list | dict)}
    new, put = model.__new__, object.__setattr__

    def read(message: Message) -> Model:
        made = new(model)
        values = fixed.copy()
        for name, kind in mutable.items():
            values[name] = kind()
        given = set()
        for field, value in message.ListFields():
            known = fields.get(field)
            if known is None:
                continue
            name, convert = known
            values[name] = value if convert is None else convert(value)
            given.add(name)
        # What BaseModel.model_construct does, without looking at aliases and defaults again.
        put(made, "__dict__", values)
        put(made, "__pydantic_fields_set__", given)
        put(made, "__pydantic_extra__", None)
        put(made, "__pydantic_private__", None)
        return made

    return read


def _reading(model: type[Model], field: Any) -> Convert | None:
    """Returns how a field's value is read, or None if it is taken as it is."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        one = _reading_one(_inner(model, field), field.message_type.fields_by_name["value"])
        return dict if one is None else lambda value: {key: one(inner) for key, inner in value.items()}
    each = _reading_one(_inner(model, field), field)
    if not field.is_repeated:
        return each
    return list if each is None else lambda value: [each(inner) for inner in value]


def _reading_one(inner: Any, field: Any) -> Convert | None:
    if field.enum_type is not None:
        return cache(cast("type[OpenEnum]", inner).of)
    if field.message_type is None:
        return None
    name = field.message_type.full_name
    if name in _WELL_KNOWN:
        return _WELL_KNOWN[name][0]
    found: list[Convert] = []

    def read(value: Message) -> Any:  # made when first used: messages may contain each other
        if not found:
            found.append(reader(inner))
        return found[0](value)

    return read


def _fill(model: Model, message: Message) -> None:
    writers, values = _writers(type(model)), model.__dict__
    for name in model.model_fields_set:
        value = values[name]
        write, takes_none = writers[name]
        if value is None and not takes_none:
            continue
        try:
            write(value, message)
        except InvalidRequestError as error:
            inner = error.field_violations[0]
            raise InvalidRequestError([FieldViolation(f"{name}.{inner.field}", inner.description)]) from None
        except (ValueError, TypeError, OverflowError) as error:  # a number out of range, an unknown name of an enum
            raise InvalidRequestError([FieldViolation(name, str(error))]) from None


@cache
def _writers(model: type[Model]) -> dict[str, tuple[Write, bool]]:
    """Returns how each field is written, and whether None is a value of it."""
    return {
        field.name: (_writing(field), field.message_type is not None and field.message_type.full_name == _VALUE)
        for field in message_type(model).DESCRIPTOR.fields
    }


def _writing(field: Any) -> Write:
    name, entry = field.name, field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        inner = entry.fields_by_name["value"]
        return lambda value, message: _fill_map(value, getattr(message, name), inner)
    if field.is_repeated:
        return lambda value, message: _fill_list(value, getattr(message, name), field)
    if entry is not None:
        return lambda value, message: _copy(value, getattr(message, name))
    if field.enum_type is not None:
        return lambda value, message: setattr(message, name, value.number)
    return lambda value, message: setattr(message, name, value)


def _fill_map(values: dict[Any, Any], target: Any, field: Any) -> None:
    for key, value in values.items():
        if field.message_type is not None:
            _copy(value, target[key])
        else:
            target[key] = value.number if field.enum_type is not None else value


def _fill_list(values: list[Any], target: Any, field: Any) -> None:
    if field.message_type is not None:
        for value in values:
            _copy(value, target.add())
    else:
        target.extend([value.number for value in values] if field.enum_type is not None else values)


def _copy(value: Any, target: Message) -> None:
    name = target.DESCRIPTOR.full_name
    if name in _WELL_KNOWN:
        _WELL_KNOWN[name][1](value, target)
    else:
        _fill(value, target)
    target.SetInParent()  # an empty message counts as set


def _inner(model: type[Model], field: Any) -> Any:
    """Returns the class in a field's annotation: of an element, of a map's value, of an optional field."""
    if field.message_type is not None and field.message_type.full_name in _WELL_KNOWN:
        return None
    found = model.model_fields[field.name].annotation
    while not isinstance(found, type) or getattr(found, "__args__", None):
        arguments = [one for one in found.__args__ if one is not type(None)]  # type: ignore[union-attr]
        found = arguments[-1]
    return found


def _timestamp(value: Any) -> datetime:
    return cast("datetime", value.ToDatetime(tzinfo=UTC))


def _set_timestamp(value: datetime, target: Any) -> None:
    target.FromDatetime(value if value.tzinfo else value.replace(tzinfo=UTC))


def _duration(value: Any) -> timedelta:
    return cast("timedelta", value.ToTimedelta())


def _parse(value: Any, target: Message) -> None:
    ParseDict(value, target)


def _set_status(value: Model, target: Message) -> None:
    ParseDict(value.model_dump(), target)


def _status(value: Message) -> Any:
    from ..types.base import Status

    return Status.model_validate(MessageToDict(value))


_WELL_KNOWN: dict[str, tuple[Convert, Callable[[Any, Any], None]]] = {
    "google.protobuf.Timestamp": (_timestamp, _set_timestamp),
    "google.protobuf.Duration": (_duration, lambda value, target: target.FromTimedelta(value)),
    "google.protobuf.FieldMask": (lambda value: list(value.paths), lambda value, target: target.paths.extend(value)),
    "google.protobuf.Struct": (MessageToDict, _parse),
    "google.protobuf.Value": (MessageToDict, _parse),
    "google.rpc.Status": (_status, _set_status),
}
"""How a well-known type is read and written."""
