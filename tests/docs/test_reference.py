"""Reference pages, compared with the tables of the code that they describe."""

from __future__ import annotations

import re

from diptych.status import HTTP_STATUS
from tests.docs.blocks import ROOT

ROW = re.compile(r"^\| `([A-Z_]+)` \| (\d{3}) \|", re.MULTILINE)


def test_errors_page_has_every_code_with_its_http_status() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert {name: int(status) for name, status in ROW.findall(page)} == {
        code.name: status for code, status in HTTP_STATUS.items()
    }
