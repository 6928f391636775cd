"""What is wrong with a setting, in words: pydantic's kinds of errors become messages that say what was expected.

It quotes values only where no secret is expected: numbers, switches, choices and networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["described"]

_WHOLE = "expected a whole number, got {value}"
_NUMBER = "expected a number, got {value}"
_SWITCH = "expected true or false, got {value}"
_LIST = "expected a list"
_TABLE = "expected a table"
_TEXT = "expected text"
_PATH = "expected a path"
_EMPTY = "must not be empty"
_NETWORK = "expected an IP address or network such as 10.0.0.0/8, got {value}"
_TIME = "expected a date and time with a time zone, such as 2027-01-31T00:00:00Z"

# By pydantic's `type` of an error; the names in braces are the value and pydantic's own context.
_TEXTS: Mapping[str, str] = {
    "missing": "required, but not set",
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": _NUMBER,
    "bool_parsing": _SWITCH,
    "bool_type": _SWITCH,
    "literal_error": "expected {expected}, got {value}",
    "greater_than": "expected a number greater than {gt:g}, got {value}",
    "greater_than_equal": "expected at least {ge:g}, got {value}",
    "less_than": "expected a number less than {lt:g}, got {value}",
    "less_than_equal": "expected at most {le:g}, got {value}",
    "string_type": _TEXT,
    "string_too_short": _EMPTY,
    "too_short": _EMPTY,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _TABLE,
    "mapping_type": _TABLE,
    "model_type": _TABLE,
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}, not '{tag}'",
    "union_tag_not_found": "{discriminator} is required, but not set",
    "model_attributes_type": _TABLE,
    "dataclass_type": _TABLE,
    "path_type": _PATH,
    "ip_v4_network": _NETWORK,
    "ip_v6_network": _NETWORK,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "timezone_aware": _TIME,
    "value_error": "{error}",
    "no_effect": "no effect without {what}; set that too, or remove it",
}
_LONGEST = 60


def described(error: ErrorDetails) -> str:
    """Returns what is wrong with the setting that the error is about."""
    text = _TEXTS.get(error["type"])
    return error["msg"] if text is None else text.format(value=_shown(error["input"]), **error.get("ctx", {}))


def _shown(value: Any) -> str:
    """Returns the value as TOML has it, or what kind of value it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    if value is None:
        return "nothing"
    return "a table" if isinstance(value, Mapping) else "a list"
