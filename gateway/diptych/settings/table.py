"""The base of every table of settings. It knows no setting."""

from __future__ import annotations

from types import NoneType
from typing import Any, ClassVar, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

NONE = "none"
"""A number that may be missing, as a file, a variable and a flag write it: TOML has no null."""


def may_be_none(annotation: Any) -> bool:
    """Returns whether a setting of this type is a number, or yes or no, or None."""
    kinds = {*get_args(annotation)}
    return NoneType in kinds and kinds <= {int, float, bool, NoneType}


class Need(NamedTuple):
    """A setting that has no effect without another one, although setting it asks for one.

    Numbers that only tune the other one are not among these: a file may keep them while it is unset.
    """

    setting: str
    attribute: str
    """True, or the number 0 (such as a port that means any), in the table if the other one is set."""
    what: str
    """The other one, as the error names it."""


class SettingsTable(BaseModel):
    """Frozen settings; an unknown name is an error, and so is a setting that has no effect."""

    # An error must not repeat the value, which may be a secret. `defer_build` leaves the validators, four fifths of
    # what importing the settings would cost, to the first gateway. The docstrings of fields are read by
    # codegen/settings_docs.py: pydantic would parse the source of every class at import.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    NEEDS: ClassVar[tuple[Need, ...]] = ()

    @field_validator("*", mode="before")
    @classmethod
    def _none(cls, value: Any, info: ValidationInfo) -> Any:
        if value == NONE and info.field_name is not None and may_be_none(cls.model_fields[info.field_name].annotation):
            return None
        return value

    @model_validator(mode="after")
    def _effective(self) -> Self:
        fields = type(self).model_fields
        for need in (one for kind in type(self).__mro__ for one in vars(kind).get("NEEDS", ())):
            other = getattr(self, need.attribute)
            without = not other and type(other) is not int
            if without and getattr(self, need.setting) != fields[need.setting].default:
                context = {"setting": need.setting, "what": need.what}
                raise PydanticCustomError(
                    "no_effect", "{setting} has no effect without {what}; set that too, or remove {setting}", context
                )
        return self
