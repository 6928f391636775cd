"""Tables in tables of a service's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from pydantic import Discriminator

from artificer_services.kit.settings import check_positive, read_table
from diptych.settings.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Door:
    width: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self, "width")


@dataclass(frozen=True, kw_only=True)
class Gas:
    kind: Literal["gas"] = "gas"
    key: str = ""
    door: Door = Door()


@dataclass(frozen=True, kw_only=True)
class Wood:
    kind: Literal["wood"] = "wood"
    logs: int = 3


@dataclass(frozen=True, kw_only=True)
class Bakery:
    ovens: Mapping[str, Annotated[Gas | Wood, Discriminator("kind")]] = field(default_factory=dict)
    door: Door = Door()


def test_tables_of_each_kind_are_read() -> None:
    values = {"ovens": {"gas": {"kind": "gas", "door": {"width": "2"}}, "old": {"kind": "wood"}}}
    read = read_table(values, "services.bakery", Bakery)
    assert read.ovens == {"gas": Gas(door=Door(width=2)), "old": Wood()}


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"dor": {}}, ["services.bakery.dor: there is no such setting; did you mean services.bakery.door?"]),
        ({"door": {"widht": 1}}, ["services.bakery.door.widht: there is no such setting; did you mean"]),
        ({"ovens": {"a": {"kind": "wood", "key": "x"}}}, ["services.bakery.ovens.a.key: there is no such setting"]),
        (
            {"ovens": {"a": {"kind": "gas", "lgos": 1}, "b": {"kind": "wood", "lgos": 1}}},
            ["services.bakery.ovens.a.lgos: there is", "services.bakery.ovens.b.lgos: there is"],
        ),
        ({"ovens": {"gas": {"kind": "gas", "door": {"width": -1}}}}, ["services.bakery.ovens.gas.door.width: width"]),
        ({"ovens": {"a": {"kind": "gas", "door": {"width": "nan"}}}}, ["services.bakery.ovens.a.door.width: expected"]),
        ({"ovens": {"a": {"kind": "wood", "logs": "x"}}}, ["services.bakery.ovens.a.logs: expected a whole number"]),
        ({"ovens": {"a": {"logs": 1}}}, ["services.bakery.ovens.a: 'kind' is required"]),
        ({"ovens": {"a": {"kind": "steam"}}}, ["services.bakery.ovens.a: 'kind' must be one of 'gas', 'wood'"]),
        ({"ovens": ["a"]}, ["services.bakery.ovens: expected a table"]),
        ({"door": 3}, ["services.bakery.door: expected a table"]),
    ],
)
def test_every_mistake_is_named_with_its_table(values: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        read_table(values, "services.bakery", Bakery)
    for fault in faults:
        assert fault in str(caught.value)
