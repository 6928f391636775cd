"""What `deploy/` ships starts: each configuration, filled in, against a real PostgreSQL and a real Valkey.

Both have TLS for Kubernetes' configuration; compose's Valkey has none.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from artificer_services import app
from codegen import deploy_check
from diptych.auth import hash_key, new_key
from diptych.cli.load import settings_of
from tests.crash.places import workspace
from tests.deploy.test_manifests import BASE, DEPLOY, composed, documents, named, of_kind, pod
from tests.deploy.tls_servers import PASSWORD, Servers, servers
from tests.valkey import start_valkey
from tests.waiting import PATIENCE, until_told

KEY = new_key("admin")
JOB = {"name": "a job", "items": [{"input": "a"}], "phases": [{"name": "one", "task_type": "text.normalize"}]}
DOWN = dict.fromkeys(("ocr", "convert", "image", "ai"), "ok")
DOWN |= dict.fromkeys(("chat", "rag", "conversation", "batch"), "failed")
MESSAGES = "/v1/channels/town/messages"


def secret() -> dict[str, str]:
    """The variables of the example Secret."""
    (found,) = of_kind("Secret")
    variables: dict[str, str] = found["stringData"]
    return variables


def image() -> dict[str, str]:
    """The variables that the image sets."""
    last = deploy_check.stages((DEPLOY / "Dockerfile").read_text())[-1]
    words = [word for kind, text in last.steps if kind == "ENV" for word in shlex.split(text)]
    return dict(word.split("=", 1) for word in words if word.startswith("DIPTYCH_"))


def urls(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if "://" in value}


def filled_in(variables: Mapping[str, str], places: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables as an operator fills them in: a key's hash, and places that exist here."""
    found = {**variables, "DIPTYCH_AUTH__API_KEYS__ADMIN__HASH": hash_key(KEY)}
    for old, new in places.items():
        found = {name: value.replace(old, new) for name, value in found.items()}
    return found


@asynccontextmanager
async def running(
    monkeypatch: pytest.MonkeyPatch, config: Path | None, variables: Mapping[str, str], data: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    """The application with a shipped configuration, on any ports and with another data folder."""
    here = {"DIPTYCH_HTTP_PORT": "0", "DIPTYCH_GRPC_PORT": "0", "DIPTYCH_TELEMETRY__METRICS_PORT": "0"}
    here["DIPTYCH_DRAIN_SECONDS"] = "0"  # no load balancer has to notice
    for name, value in {**image(), **variables, **here}.items():
        monkeypatch.setenv(name, value.replace("/var/lib/diptych", str(data)))
    gateway = app.create(settings_of(config, {}, []))
    async with gateway, httpx2.AsyncClient(timeout=PATIENCE) as client:
        client.base_url = httpx2.URL(f"http://127.0.0.1:{gateway.http_port}")
        yield client
        await gateway.stop(0)


async def serves(client: httpx2.AsyncClient) -> None:
    """Checks that every service is ready, that strangers are refused, and that the key opens chat and batch."""

    async def ready() -> bool:
        answer = await client.get("/readyz")
        assert answer.status_code == 200
        return set(answer.json()["checks"].values()) == {"ok"}

    await until_told(ready)
    for path in (MESSAGES, "/v1/jobs", "/openapi.json"):
        assert (await client.get(path)).status_code == 401
    client.headers["x-api-key"] = KEY
    assert (await client.get(MESSAGES)).json()["messages"] == []
    assert (await client.get("/v1/jobs")).status_code == 200


@asynccontextmanager
async def worker(command: list[str], config: Path | None, variables: Mapping[str, str]) -> AsyncIterator[None]:
    """A batch worker with the shipped command."""
    environment = {**os.environ, **image(), **variables, **({} if config is None else {"DIPTYCH_CONFIG": str(config)})}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, env=environment)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def completes_a_job(client: httpx2.AsyncClient, **job: Any) -> None:
    made = (await client.post("/v1/jobs", json={**JOB, **job, "options": {"auto_start": True}})).json()

    async def completed() -> bool:
        found = (await client.get(f"/v1/jobs/{made['id']}")).json()["status"]
        assert found in ("JOB_STATUS_RUNNING", "JOB_STATUS_COMPLETED")
        return bool(found == "JOB_STATUS_COMPLETED")

    await until_told(completed)


async def finds_what_a_job_indexes(client: httpx2.AsyncClient) -> None:
    """Checks that workers put documents into the collections that the gateway searches."""
    made = await client.post("/v1/collections", params={"collectionId": "town"}, json={})
    assert made.status_code == 200, made.text
    phase = {"name": "index", "task_type": "rag.index", "parameters": {"collection": "town"}}
    items = [{"input": "data:text/plain,The%20bell%20is%20rung%20twice%20in%20fog."}]
    await completes_a_job(client, name="index", items=items, phases=[phase])
    found = (await client.post("/v1/collections/town:search", json={"text": "fog bell"})).json()
    assert [one["text"] for one in found["matches"]] == ["The bell is rung twice in fog."]


def in_cluster(found: Servers) -> dict[str, str]:
    """The Secret's places, and what they are here."""
    return {
        "postgres.databases.svc.cluster.local:5432": f"localhost:{found.postgres}",
        "valkey.databases.svc.cluster.local:6379": f"localhost:{found.valkey}",
        "/etc/diptych-ca/ca.crt": str(found.authority),
    }


async def test_kubernetes_configuration_serves_and_works_with_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    config = BASE / "diptych.toml"
    (container,) = pod("worker")["spec"]["containers"]
    with workspace() as folder:
        async with servers(folder) as found:
            variables = filled_in(secret(), in_cluster(found))
            assert PASSWORD in variables["DIPTYCH_SERVICES__BATCH__BROKER_URL"]
            async with running(monkeypatch, config, variables, folder) as client:
                await serves(client)
                async with worker([*container["command"], *container["args"]], config, variables):
                    await completes_a_job(client)
            assert not found.refused  # nothing tried without TLS, or did not trust the server


async def test_kubernetes_configuration_refuses_a_server_of_another_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """`verify-full` verifies: with the wrong authority chat, AI and batch stay down, and the process serves OCR."""
    with workspace() as folder, workspace() as elsewhere:
        async with servers(folder) as found, servers(elsewhere) as others:
            places = {**in_cluster(found), "/etc/diptych-ca/ca.crt": str(others.authority)}
            async with running(monkeypatch, BASE / "diptych.toml", filled_in(secret(), places), folder) as client:
                checks = (await client.get("/readyz")).json()["checks"]
                assert checks == DOWN
            assert "postgres" in found.refused


async def test_kubernetes_configuration_says_that_an_authority_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The ConfigMap is optional. Without it a URL that names its file fails, and connects to nothing unverified."""
    with workspace() as folder:
        async with servers(folder) as found:
            missing = str(folder / "ca.crt.missing")
            places = {**in_cluster(found), "/etc/diptych-ca/ca.crt": missing}
            async with running(monkeypatch, BASE / "diptych.toml", filled_in(secret(), places), folder) as client:
                checks = (await client.get("/readyz")).json()["checks"]
                assert checks == DOWN
    assert f'root certificate file "{missing}" does not exist' in caplog.text


async def test_compose_configuration_serves_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    services = composed()["services"]
    command = [*services["worker"]["entrypoint"], *services["worker"]["command"]]
    valkey = start_valkey()
    try:
        with workspace() as folder:
            async with servers(folder) as found:
                # PostgreSQL's default, `prefer`, uses TLS where the server has it.
                places = {"postgres:5432": f"localhost:{found.postgres}", "valkey:6379": f"localhost:{valkey.port}"}
                places[":x@"] = f":{PASSWORD}@"
                variables = filled_in(services["gateway"]["environment"], places)
                async with running(monkeypatch, None, variables, folder) as client:
                    await serves(client)
                    shared = filled_in(services["worker"]["environment"], places)
                    async with worker(command, None, shared):
                        await completes_a_job(client)
                        await finds_what_a_job_indexes(client)
    finally:
        valkey.stop()


def options(text: str, pattern: str) -> Iterator[str]:
    """Yields the settings that a file offers in comments."""
    for line in text.splitlines():
        if found := re.match(rf"\s*# ({pattern}.*)", line):
            yield found[1]


def variables_of(lines: Iterator[str]) -> dict[str, str]:
    return {name: value.strip().strip("'") for name, value in (line.split(": ", 1) for line in lines)}


def test_options_in_comments_are_settings_that_work_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Such as a storage of rates, which stops the start where no rule has a rate."""
    example = (DEPLOY / "kubernetes" / "example" / "secret.yaml").read_text()
    offered = variables_of(options(example, "DIPTYCH_"))
    text = (BASE / "diptych.toml").read_text()
    uncommented = re.sub(r"^# (?=\w+ = )", "", text, flags=re.M)
    assert offered
    assert uncommented != text
    config = tmp_path / "diptych.toml"
    config.write_text(uncommented)
    for name, value in {**image(), **secret(), **offered}.items():
        monkeypatch.setenv(name, value)
    settings = settings_of(config, {}, [])
    assert settings.limits.storage_url is not None
    app.create(settings)


def test_composes_options_in_comments_are_settings_that_work_together(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = variables_of(options((DEPLOY / "compose.yml").read_text(), "DIPTYCH_"))
    assert offered
    for name, value in {**image(), **composed()["services"]["gateway"]["environment"], **offered}.items():
        monkeypatch.setenv(name, value)
    app.create(settings_of(None, {}, []))


# Kubernetes' own side of it: files that are mounted, and connections that are allowed.


def read_by(part: str) -> dict[str, str]:
    """The URLs of the Secret that a part's container reads: all of them, or those that its variables name."""
    (container,) = pod(part)["spec"]["containers"]
    if container.get("envFrom"):
        return urls(secret())
    keys = [one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"] if "valueFrom" in one]
    return {key: secret()[key] for key in keys}


@pytest.mark.parametrize("part", ["gateway", "worker", "backup"])
def test_files_that_urls_name_are_mounted(part: str) -> None:
    spec = pod(part)["spec"]
    (container,) = spec["containers"]
    maps = {one["metadata"]["name"]: one["data"] for one in of_kind("ConfigMap")}
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one.get("configMap", {}).get("name") for one in spec["volumes"]}
    seen = 0
    for url in read_by(part).values():
        for values in parse_qs(urlsplit(url).query).values():
            for path in (Path(value) for value in values if value.startswith("/")):
                seen += 1
                assert path.name in maps[volumes[mounts[str(path.parent)]]]
    assert seen == len(read_by(part)) > 0  # each server's certificate is verified


def allows(policy: dict[str, Any], port: int, *, inside: bool) -> bool:
    """Whether a NetworkPolicy lets its pods connect to a port, of any service of the cluster or of hosts outside."""
    for rule in policy["spec"]["egress"]:
        peers = rule.get("to")
        reached = peers is None or (inside and {"namespaceSelector": {}} in peers)
        if reached and any(one["port"] == port and one["protocol"] == "TCP" for one in rule["ports"]):
            return True
    return False


@pytest.mark.parametrize("part", ["gateway", "worker", "backup"])
def test_pods_start_without_an_authority(part: str) -> None:
    """As servers need whose authority the image knows, or that have no TLS."""
    (optional,) = (one["configMap"].get("optional") for one in pod(part)["spec"]["volumes"] if one["name"] == "ca")
    assert optional is True


@pytest.mark.parametrize("part", ["gateway", "worker", "backup"])
def test_policies_allow_every_host_that_the_configuration_names(part: str) -> None:
    policy = named("NetworkPolicy", part)
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod(part)["metadata"]["labels"].items()
    for name, url in read_by(part).items():
        found = urlsplit(url)
        assert found.port is not None, name
        assert found.hostname is not None, name
        assert allows(policy, found.port, inside=found.hostname.endswith(".svc.cluster.local")), name
    assert not allows(policy, 22, inside=True)


def test_policies_allow_both_protocols_of_traces() -> None:
    policy = named("NetworkPolicy", "gateway")
    for port in (4317, 4318):  # OTLP over gRPC and over HTTP
        assert allows(policy, port, inside=False)


def test_nothing_ships_without_authentication() -> None:
    for path in (BASE / "diptych.toml", DEPLOY / "compose.yml", DEPLOY / "Dockerfile"):
        assert "anonymous" not in path.read_text().lower(), path
    for path in (DEPLOY / "kubernetes").rglob("*.yaml"):
        for one in documents(path):
            assert "ANONYMOUS" not in str(one), path
