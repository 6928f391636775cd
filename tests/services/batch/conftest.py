"""Where jobs are kept: an empty database of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """What BatchSettings takes, for an empty database of each kind."""
    if request.param == "sqlite":
        return {"data_dir": str(tmp_path / "data")}
    return {"data_dir": str(tmp_path / "data"), "database_url": request.getfixturevalue("postgres").fresh()}
