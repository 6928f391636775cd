"""What the tests of services share: a real PostgreSQL, started once where it is asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.mortal import MortalPostgres
from tests.services.postgres import Postgres

# Each database has some 300 files: on a disk, creating and deleting them takes longer than most tests.
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 8 * 1024**3  # several times what the databases of a whole run take


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL from pip, on a socket of its own."""
    memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES
    with tempfile.TemporaryDirectory(dir=_MEMORY if memory else None) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own making, where there is no XDG_RUNTIME_DIR
        os.chmod(folder, 0o755)  # as root it runs under another user
        import pgserver

        server = pgserver.get_server(Path(folder, "data"), cleanup_mode="delete")
        try:
            running = Postgres(server.get_uri)
            running.hurry()
            yield running
        finally:
            server.cleanup()


@pytest.fixture
def database() -> Iterator[MortalPostgres]:
    """A PostgreSQL of one test's own, which may be taken away."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # as root it runs under another user
        made = MortalPostgres(Path(folder, "data"))
        try:
            yield made
        finally:
            made.end()
