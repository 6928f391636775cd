"""The page of settings has exactly the existing settings, each with its meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codegen import cli_docs, settings_docs
from diptych import Settings


def test_the_page_is_fresh() -> None:
    old = settings_docs.PAGE.read_text()
    assert settings_docs.page(old) == old, "run make generate"


def test_the_page_of_the_command_is_fresh() -> None:
    assert cli_docs.page() == cli_docs.PAGE.read_text(), "run make generate"


def test_every_setting_is_on_the_page_once() -> None:
    names = re.findall(r"^\| `([^`]+)` \|", settings_docs.tables(), re.M)
    assert len(names) == len(set(names))
    assert Settings.model_fields.keys() <= set(names)
    services = {"services.batch.engine", "services.chat.database_url", "services.ocr.workers"}
    assert {"auth.jwt.issuer", "auth.rules[].methods", *services} <= set(names)


def test_a_services_comments_become_meanings(tmp_path: Path) -> None:
    for name in ("bakery", "kit"):
        (tmp_path / name).mkdir()
    (tmp_path / "kit" / "settings.py").write_text("KIB = 1024\n")
    settings = tmp_path / "bakery" / "settings.py"
    settings.write_text(
        "class BakerySettings:\n"
        '    """How bread is made. Raises ValueError."""\n\n'
        "    # auto: whatever is warm\n"
        '    oven: Literal["auto", "left"] = "auto"  # noqa: S105\n'
        "    largest: int = 4 * KIB  # bytes of a loaf | a roll\n"
        "    names: tuple[str, ...] = ()\n"
        '    """What loaves are\n    called."""\n'
        "    loaves: dict[str, Any] = field(default_factory=dict)  # what each kind wants to know\n"
    )
    (section,) = settings_docs.service_sections(tmp_path)
    assert (section.heading, section.text) == ("`services.bakery`", "How bread is made.")
    assert [(row.name, row.kind, row.default, row.meaning) for row in section.rows] == [
        ("services.bakery.oven", "`auto` · `left`", '`"auto"`', "auto: whatever is warm."),
        ("services.bakery.largest", "whole number", "`4096`", "Bytes of a loaf | a roll."),
        ("services.bakery.names", "list of text", "empty", "What loaves are called."),
        ("services.bakery.loaves", "table", "empty", "What each kind wants to know."),
    ]
    settings.write_text("class BakerySettings:\n    salt: int = 1\n")
    with pytest.raises(settings_docs.Undocumented, match=r"services\.bakery\.salt"):
        list(settings_docs.service_sections(tmp_path))
