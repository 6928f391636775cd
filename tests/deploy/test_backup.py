"""The backup that ships: it dumps a real PostgreSQL, is restored, removes old dumps, and the gateway sees its age."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from artificer_services.chat.build import ChatService
from artificer_services.chat.settings import ChatSettings
from artificer_services.cluster.servers import _package
from artificer_services.kit.storage.state import StoreMetrics
from tests.crash.places import workspace
from tests.deploy.test_manifests import BASE, composed, of_kind
from tests.deploy.tls_servers import PASSWORD, servers

SCRIPT = BASE / "backup.sh"


def run(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    programs = _package("pgserver") / "pginstall" / "bin"
    environment = {"URL": url, "BACKUPS": str(folder), "KEEP_DAYS": "14", "PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run(["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)


@asynccontextmanager
async def service(url: str) -> AsyncIterator[StoreMetrics]:
    """Chat on a database; its metrics."""
    chat = ChatService(ChatSettings(database_url=url, broker="memory"))
    async with chat.lifespan():
        yield chat.metrics


def values(metrics: StoreMetrics) -> dict[str, float]:
    return {family.name: family.samples[0].value for family in metrics.collect()}


async def test_a_backup_is_complete_recorded_and_restorable() -> None:
    with workspace() as folder:
        async with servers(folder) as found:
            url = f"postgresql://diptych:{PASSWORD}@localhost:{found.plain_postgres}/diptych"
            backups = folder / "backups"
            backups.mkdir()
            old, other = backups / "diptych-20200101T000000Z.dump", backups / "notes.txt"
            for file in (old, other):
                file.touch()
                os.utime(file, (0, 0))
            async with service(url) as metrics:
                await metrics.look()
                before = values(metrics)
                assert before["artificer_store_bytes"] > 1_000_000
                assert "artificer_store_backup_timestamp_seconds" not in before
                began = time.time()
                done = await asyncio.to_thread(run, url, backups)
                assert (done.returncode, done.stderr) == (0, "")
                await metrics.look()
                assert began - 5 < values(metrics)["artificer_store_backup_timestamp_seconds"] < time.time() + 5
            assert other.exists()
            assert not old.exists()
            (dump,) = backups.glob("*.dump*")
            assert re.fullmatch(r"diptych-\d{8}T\d{6}Z\.dump", dump.name)
            await asyncio.to_thread(_restore, url, dump)


def _restore(url: str, dump: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"DROP SCHEMA public CASCADE")
        connection.execute(b"CREATE SCHEMA public")
    restore = _package("pgserver") / "pginstall" / "bin" / "pg_restore"
    target = f"--dbname={url}"
    subprocess.run([str(restore), "--clean", "--if-exists", target, str(dump)], check=True)
    with psycopg.connect(url) as connection:
        found = connection.execute(b"SELECT count(*) FROM chat_messages").fetchone()
    assert found == (0,)


def test_a_backup_that_fails_leaves_no_dump_and_says_so(tmp_path: Path) -> None:
    done = run("postgresql://diptych@localhost:1/diptych", tmp_path)
    assert done.returncode != 0
    assert "connection" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["kubernetes", "compose"])
def test_it_runs_daily_with_its_variables(where: str) -> None:
    if where == "compose":
        backup = composed()["services"]["backup"]
        assert "sleep 86400" in backup["entrypoint"][-1]
        variables = backup["environment"]
        targets = {volume["target"]: volume["type"] for volume in backup["volumes"]}
        assert targets == {"/backup.sh": "bind", "/backups": "volume"}
    else:
        (job,) = of_kind("CronJob")
        minute, hour, *every = job["spec"]["schedule"].split()
        assert minute.isdigit()
        assert hour.isdigit()
        assert every == ["*", "*", "*"]
        (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        variables = {one["name"]: one.get("value") for one in container["env"]}
    assert set(re.findall(r"\$\{?([A-Z_]+)", SCRIPT.read_text())) == variables.keys()
