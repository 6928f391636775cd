"""Databases of jobs: one of each kind, with its tables and without."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.services.batch.helpers import open_store, settings_for
from tests.services.postgres import Postgres

KINDS = ["sqlite", "postgres"]


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with its tables: copying it takes a tenth of the time of the migrations."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    open_store(settings_for({"data_dir": str(folder)}), durable=False).close()
    return folder


@pytest.fixture(scope="session")
def migrated_url(postgres: Postgres) -> str:
    """A PostgreSQL database with its tables, as a template for copies."""
    url = postgres.fresh()
    open_store(settings_for({"database_url": url}), durable=False).close()
    return url


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Arguments of BatchSettings, for a database of each kind with empty tables."""
    data = tmp_path / "data"
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated_folder"), data)
        return {"data_dir": str(data)}
    postgres: Postgres = request.getfixturevalue("postgres")
    return {"data_dir": str(data), "database_url": postgres.fresh(like=request.getfixturevalue("migrated_url"))}


@pytest.fixture(params=KINDS)
def bare_place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The same without tables, as the first start of a service finds it."""
    data = {"data_dir": str(tmp_path / "data")}
    return data if request.param == "sqlite" else {**data, "database_url": request.getfixturevalue("postgres").fresh()}
