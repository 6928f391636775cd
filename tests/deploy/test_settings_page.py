"""The page of settings has exactly the existing settings, each with its meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codegen import cli_docs, settings_docs
from codegen.service_settings import service_sections
from codegen.settings_rows import Undocumented
from diptych import Settings


def test_the_page_is_fresh() -> None:
    old = settings_docs.PAGE.read_text()
    assert settings_docs.page(old) == old, "run make generate"


def test_the_pages_of_the_commands_are_fresh() -> None:
    assert cli_docs.page() == cli_docs.PAGE.read_text(), "run make generate"
    assert cli_docs.client_page() == cli_docs.CLIENT_PAGE.read_text(), "run make generate"


def test_every_setting_is_on_the_page_once() -> None:
    # A table of several kinds has a section for each, which may have settings of the same name.
    rows = [
        (section.partition("\n")[0], name)
        for section in settings_docs.tables().split("### ")
        for name in re.findall(r"^\| `([^`]+)` \|", section, re.M)
    ]
    names = [name for _, name in rows]
    assert len(rows) == len(set(rows))
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
    (section,) = service_sections(tmp_path)
    assert (section.heading, section.text) == ("`services.bakery`", "How bread is made.")
    assert [(row.name, row.kind, row.default, row.meaning) for row in section.rows] == [
        ("services.bakery.oven", "`auto` · `left`", '`"auto"`', "auto: whatever is warm."),
        ("services.bakery.largest", "whole number", "`4096`", "Bytes of a loaf | a roll."),
        ("services.bakery.names", "list of text", "empty", "What loaves are called."),
        ("services.bakery.loaves", "table", "empty", "What each kind wants to know."),
    ]
    settings.write_text("class BakerySettings:\n    salt: int = 1\n")
    with pytest.raises(Undocumented, match=r"services\.bakery\.salt"):
        list(service_sections(tmp_path))


def test_tables_in_tables_have_sections(tmp_path: Path) -> None:
    for name in ("bakery", "kit"):
        (tmp_path / name).mkdir()
    (tmp_path / "kit" / "settings.py").write_text("KIB = 1024\n")
    (tmp_path / "bakery" / "ovens.py").write_text(
        "class Oven:\n"
        "    heat: int = -1  # degrees\n"
        "class Stone(Oven):\n"
        '    """An oven of stone."""\n'
        '    kind: Literal["stone"] = "stone"  # which it is\n'
        "class Gas(Oven):\n"
        '    """An oven with gas."""\n'
        '    kind: Literal["gas"] = "gas"  # which it is\n'
        '    key: str = field(default="", repr=False)  # of the door\n'
        'Ovens = Annotated[Stone | Gas, Discriminator("kind")]\n'
    )
    (tmp_path / "bakery" / "settings.py").write_text(
        "from .ovens import Ovens\n"
        "class BakerySettings:\n"
        '    """How bread is made."""\n'
        "    ovens: Mapping[str, Ovens] = field(default_factory=ovens)  # by name\n"
    )
    top, stone, gas = service_sections(tmp_path)
    assert [(row.name, row.kind, row.default) for row in top.rows] == [("services.bakery.ovens", "tables by name", "")]
    assert stone.heading == '`services.bakery.ovens.<name>` with `kind = "stone"`'
    assert [(row.name, row.kind, row.default) for row in gas.rows] == [
        ("services.bakery.ovens.<name>.heat", "whole number", "`-1`"),
        ("services.bakery.ovens.<name>.kind", "`gas`", '`"gas"`'),
        ("services.bakery.ovens.<name>.key", "secret", "empty"),
    ]
