"""Arithmetic over what ships: connections to PostgreSQL, and CPU as docs/operations.md advises."""

from __future__ import annotations

import pytest

from artificer_services.ai.settings import AiSettings
from artificer_services.ai.tasks.settings import WORKER_CONNECTIONS
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store.database import _WORKER_CONNECTIONS
from artificer_services.chat.settings import ChatSettings
from artificer_services.kit.settings import service_settings
from artificer_services.ocr.settings import OcrSettings
from diptych import Settings
from diptych.cli.load import settings_of
from tests.deploy.test_manifests import BASE, composed, named, of_kind, pod

# PostgreSQL's defaults; compose's server and, as far as we know, that of a cluster have them.
MAX_CONNECTIONS, RESERVED = 100, 3
BACKUP = 2  # pg_dump, and psql after it
SCALED_WORKERS = 4  # of compose, by --scale


def of_a_gateway(settings: Settings) -> int:
    """Returns the most connections of one gateway with all its processes."""
    chat = service_settings(settings, "chat", ChatSettings)
    batch = service_settings(settings, "batch", BatchSettings)
    listening = int(chat.broker_kind == "postgres")
    ai = service_settings(settings, "ai", AiSettings)
    of_ai = ai.library.database_connections + ai.conversations.database_connections
    return settings.workers * (chat.database_connections + listening + batch.database_connections + of_ai)


def of_a_worker(command: list[str]) -> int:
    """Returns the most connections of one Celery worker; only its children open any."""
    of_tasks = 2 * WORKER_CONNECTIONS  # llm.generate and rag.index
    return int(command[command.index("--concurrency") + 1]) * (_WORKER_CONNECTIONS + of_tasks)


@pytest.fixture
def kubernetes(monkeypatch: pytest.MonkeyPatch) -> Settings:
    (secret,) = of_kind("Secret")
    for name, value in secret["stringData"].items():
        monkeypatch.setenv(name, value)
    return settings_of(BASE / "diptych.toml", {}, [])


def most_pods(part: str) -> int:
    """Returns the most pods of a part that have connections at once: twice its autoscaler's maximum.

    `maxSurge` does not count pods that are terminating. All of the old ones may be, while all of the new ones run.
    """
    most: int = named("HorizontalPodAutoscaler", part)["spec"]["maxReplicas"]
    return 2 * most


def test_all_pods_of_kubernetes_fit_postgresqls_connections(kubernetes: Settings) -> None:
    (worker,) = pod("worker")["spec"]["containers"]
    gateways = most_pods("gateway") * of_a_gateway(kubernetes)
    workers = most_pods("worker") * of_a_worker(worker["args"])
    assert gateways + workers + BACKUP <= MAX_CONNECTIONS - RESERVED


def test_compose_fits_postgresqls_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    services = composed()["services"]
    assert not services["postgres"].get("command")  # PostgreSQL's own limit
    for name, value in services["gateway"]["environment"].items():
        monkeypatch.setenv(name, value)
    workers = SCALED_WORKERS * of_a_worker(services["worker"]["command"])
    assert of_a_gateway(settings_of(None, {}, [])) + workers + BACKUP <= MAX_CONNECTIONS - RESERVED


def test_pods_request_the_cpus_that_their_processes_use(kubernetes: Settings) -> None:
    (gateway,), (worker,) = (pod(part)["spec"]["containers"] for part in ("gateway", "worker"))
    ocr = service_settings(kubernetes, "ocr", OcrSettings)
    assert ocr.workers  # the default is the number of the node's cores
    assert int(gateway["resources"]["requests"]["cpu"]) == kubernetes.workers + ocr.workers
    command = worker["args"]
    assert int(worker["resources"]["requests"]["cpu"]) == int(command[command.index("--concurrency") + 1])
