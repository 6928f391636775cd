"""The files in `deploy/`, checked by the schemas and parsers of their tools, without a container engine."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from artificer_services.batch.settings import BatchSettings
from artificer_services.kit.settings import service_settings
from codegen import deploy_check
from diptych.cli.load import settings_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kubernetes" / "base"
MANIFESTS = sorted({*BASE.glob("*.yaml"), *(DEPLOY / "kubernetes" / "example").glob("*.yaml")})


def tool(name: str) -> str:
    """Returns the path of a program that pip installed next to this Python."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found is not None, f"{name} is not installed: pip install -e '.[dev]'"
    return found


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def of_kind(kind: str) -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from (one for one in documents(path) if one["kind"] == kind)


API_KEY_HASH = f"sha256:{'0' * 32}:{'0' * 64}"
PARTS = {"gateway": "diptych", "worker": "diptych-worker"}
"""The parts that have a Deployment, and the name of their objects."""


def named(kind: str, part: str) -> dict[str, Any]:
    """Returns a part's only object of a kind."""
    name = {**PARTS, "backup": "diptych-backup"}[part]
    (found,) = (one for one in of_kind(kind) if one["metadata"]["name"] == name)
    return found


def pod(part: str = "gateway") -> dict[str, Any]:
    """Returns the template of a part's pods; `backup` is a part with a CronJob."""
    if part == "backup":
        job: dict[str, Any] = named("CronJob", part)["spec"]["jobTemplate"]["spec"]["template"]
        return job
    found: dict[str, Any] = named("Deployment", part)["spec"]["template"]
    return found


@pytest.mark.parametrize(
    "path", [one for one in MANIFESTS if one.name != "kustomization.yaml"], ids=lambda one: one.name
)
def test_manifests_fit_kubernetes_own_schemas(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_base_names_every_file_and_no_other() -> None:
    (base,) = documents(BASE / "kustomization.yaml")
    named = {*base["resources"], *(file for one in base["configMapGenerator"] for file in one["files"])}
    assert named | {"kustomization.yaml"} == {path.name for path in BASE.iterdir()}


@pytest.mark.parametrize("part", PARTS)
def test_pods_run_unprivileged_and_write_only_to_their_volumes(part: str) -> None:
    spec = pod(part)["spec"]
    (container,) = spec["containers"]
    user = deploy_check.stages((DEPLOY / "Dockerfile").read_text())[-1].last("USER")
    assert f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}" == user
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")} >= {
        *deploy_check.WRITABLE
    }
    assert {one["name"] for one in spec["volumes"]} == {one["name"] for one in container["volumeMounts"]}


def test_probes_use_existing_paths_and_sufficient_time_outs() -> None:
    (container,) = pod()["spec"]["containers"]
    settings = settings_of(BASE / "diptych.toml", {}, [])
    for name in ("startupProbe", "livenessProbe"):  # a restart repairs no database
        assert container[name]["httpGet"]["path"] == "/healthz"
    probe = container["readinessProbe"]
    assert probe["httpGet"]["path"] == "/readyz"
    assert probe["timeoutSeconds"] > settings.readiness.timeout_seconds
    # The load balancer must learn of the stop before the listeners close.
    assert settings.drain_seconds > probe["periodSeconds"] * probe["failureThreshold"]
    assert pod()["spec"]["terminationGracePeriodSeconds"] > settings.drain_seconds + settings.grace_seconds + 5


def test_services_autoscaler_and_budget_select_this_deployment() -> None:
    labels = pod()["metadata"]["labels"].items()
    ports = {one["name"] for one in pod()["spec"]["containers"][0]["ports"]}
    for service in of_kind("Service"):
        assert service["spec"]["selector"].items() <= labels
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= ports
    (budget,) = of_kind("PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels


@pytest.mark.parametrize("part", PARTS)
def test_only_an_autoscaler_sets_the_number_of_pods(part: str) -> None:
    deployment, scaler = named("Deployment", part), named("HorizontalPodAutoscaler", part)
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pod(part)["metadata"]["labels"].items()
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    (container,) = pod(part)["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"]  # its unit


def test_a_worker_accepts_no_connections_and_no_gateway_object_selects_it() -> None:
    labels = pod("worker")["metadata"]["labels"].items()
    policy = named("NetworkPolicy", "worker")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["ingress"] == []
    for service in of_kind("Service"):
        assert not service["spec"]["selector"].items() <= labels
    for kind in ("NetworkPolicy", "Deployment"):
        chosen = named(kind, "gateway")["spec"].get("podSelector") or named(kind, "gateway")["spec"]["selector"]
        assert not chosen["matchLabels"].items() <= labels
    assert "ports" not in pod("worker")["spec"]["containers"][0]


def test_a_worker_has_the_gateways_settings_and_time_to_end_its_items(monkeypatch: pytest.MonkeyPatch) -> None:
    (secret,) = of_kind("Secret")
    for name, value in secret["stringData"].items():
        monkeypatch.setenv(name, value)
    (gateway,), (worker,) = (pod(part)["spec"]["containers"] for part in PARTS)
    for field in ("image", "env", "envFrom"):
        assert worker[field] == gateway[field]
    assert worker["command"] == ["celery", "-A", celery_app(), "worker"]
    batch = service_settings(settings_of(BASE / "diptych.toml", {}, []), "batch", BatchSettings)
    assert batch.engine == "celery"
    assert batch.default_concurrency  # a gateway's number of processors does not apply to workers elsewhere
    assert pod("worker")["spec"]["terminationGracePeriodSeconds"] > 2 * batch.slice_seconds
    assert "livenessProbe" not in worker


def celery_app() -> str:
    """Imports the module that a worker's command names."""
    name = "artificer_services.batch.celery_app"
    assert importlib.util.find_spec(name) is not None
    return name


def test_only_the_cluster_reaches_grpc() -> None:
    policy = named("NetworkPolicy", "gateway")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod()["metadata"]["labels"].items()
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    for rule in policy["spec"]["ingress"]:
        assert rule["from"]  # every ingress rule names its peers
        assert rule["ports"]
        if any(port["port"] == "grpc" for port in rule["ports"]):
            assert all(peer["podSelector"]["matchLabels"] for peer in rule["from"])
            assert not any("ipBlock" in peer for peer in rule["from"])
    (grpc,) = (one for one in of_kind("Service") if any(port["name"] == "grpc" for port in one["spec"]["ports"]))
    assert grpc["spec"].get("type", "ClusterIP") == "ClusterIP"
    for ingress in of_kind("Ingress"):
        backends = [path["backend"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
        assert {one["service"]["name"] for one in backends} == {"diptych"}


def test_secrets_hold_settings_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    (secret,) = of_kind("Secret")
    for name, value in secret["stringData"].items():
        monkeypatch.setenv(name, value)
    settings = settings_of(BASE / "diptych.toml", {}, [])
    assert settings.services["chat"]["database_url"].startswith("postgresql://")
    assert settings.services["chat"]["broker"] == "auto"
    batch = service_settings(settings, "batch", BatchSettings)
    assert batch.database_url.startswith("postgresql://")
    assert batch.broker_url != settings.services["chat"].get("redis_url")


def test_hadolint_accepts_the_dockerfile() -> None:
    done = subprocess.run(
        [tool("hadolint"), "--no-color", str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_pinned_and_has_no_root() -> None:
    build, last = deploy_check.stages((DEPLOY / "Dockerfile").read_text())
    assert build.base == last.base
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", last.base)
    assert last.last("USER").split(":")[0].isdigit()
    assert last.last("USER").split(":")[0] != "0"
    assert "diptych.probe" in last.last("HEALTHCHECK")


def test_the_build_context_contains_the_images_sources() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    build, _ = deploy_check.stages((DEPLOY / "Dockerfile").read_text())
    copied = {word for name, text in build.steps if name == "COPY" for word in text.split()[:-1]}
    assert copied == let_in
    assert all((ROOT / one).exists() for one in copied)


def composed() -> dict[str, Any]:
    """The compose file as Compose itself parses it."""
    given = {"POSTGRES_PASSWORD": "x", "GRAFANA_PASSWORD": "y", "API_KEY_HASH": API_KEY_HASH}
    given["ALERT_WEBHOOK_URL"] = "https://alerts.example.com/hook"
    done = subprocess.run(
        [tool("docker-compose"), "--file", str(DEPLOY / "compose.yml"), "config"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **given},
    )
    assert done.stdout, done.stderr  # the packaged program always exits with 0
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def test_compose_reads_its_file_and_every_mounted_file_exists() -> None:
    services = composed()["services"]
    assert services.keys() >= {"gateway", "worker", "postgres", "valkey", "prometheus", "grafana"}
    for service in services.values():
        assert service.get("restart") == "unless-stopped"
        for volume in service.get("volumes", []):
            assert volume["type"] != "bind" or Path(volume["source"]).exists(), volume["source"]


def test_compose_opens_http_only_and_to_this_machine_only() -> None:
    services = composed()["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"gateway", "prometheus", "grafana"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}
    assert [port["target"] for port in published["gateway"]] == [8080]
    assert {*services["postgres"]["networks"]} == {*services["valkey"]["networks"]} == {"inside"}
    for name in ("gateway", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["image"] == services["gateway"]["image"]


def test_compose_asks_for_passwords_and_has_none() -> None:
    done = subprocess.run(
        [tool("docker-compose"), "--file", str(DEPLOY / "compose.yml"), "config"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )
    assert not done.stdout
    assert "set it in deploy/.env" in done.stderr


def test_a_key_can_be_made_before_compose_has_its_variables() -> None:
    """The command that `.env.example` shows needs the image only: Compose refuses to run anything without the hash."""
    shown = [line[2:] for line in (DEPLOY / ".env.example").read_text().splitlines() if line.startswith("# docker ")]
    (built, run), *others = ([shlex.split(part) for part in line.split(" && ")] for line in shown)
    assert not others
    assert built[:2] == ["docker", "build"]
    assert run[:3] == ["docker", "run", "--rm"]
    assert run[3] == built[built.index("--tag") + 1]
    _, image = deploy_check.stages((DEPLOY / "Dockerfile").read_text())
    (program,) = json.loads(image.last("ENTRYPOINT"))
    assert (DEPLOY.parent / built[built.index("--file") + 1]).samefile(DEPLOY / "Dockerfile")
    done = subprocess.run([tool(program), *run[4:]], capture_output=True, text=True, check=True)
    assert re.search(r"sha256:[0-9a-f]{32}:[0-9a-f]{64}", done.stdout)


def test_composes_variables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in composed()["services"]["gateway"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = settings_of(None, {}, [])
    assert settings.services["chat"]["broker"] == "redis"
    assert settings.grace_seconds == 30
    assert service_settings(settings, "batch", BatchSettings).engine == "celery"


def test_composes_worker_reads_what_its_gateway_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    services = composed()["services"]
    worker = services["worker"]["environment"]
    assert worker.items() <= services["gateway"]["environment"].items()
    for name, value in worker.items():
        monkeypatch.setenv(name, value)
    batch = service_settings(settings_of(None, {}, []), "batch", BatchSettings)
    assert batch.default_concurrency == int(services["worker"]["command"][1])
    assert services["worker"]["entrypoint"] == ["celery", "-A", celery_app(), "worker"]
    assert f"celery -A {celery_app()} inspect ping" in services["worker"]["healthcheck"]["test"][1]
