"""Alerts and dashboard: their expressions parse and use only series that a running gateway exports."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import promql_parser as promql
import pytest
import yaml
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from artificer_services import app
from artificer_services.kit.storage.state import State, StoreMetrics
from codegen import alert_rules
from diptych import Settings
from diptych.upstream import Upstream

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
MONITORING = KUBERNETES / "monitoring"
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "diptych.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

_COUNTED = (
    "artificer_batch_jobs",
    "artificer_retention_timestamp_seconds",
    'artificer_store_bytes{kind="sqlite",service="batch"}',
)
_VARIABLES = {"$__rate_interval": "5m", "$service": ".*", "$protocol": ".*"}
_OF_PROMETHEUS = {"up"}  # series that Prometheus itself adds
_LABELS_OF_PROMETHEUS = {"instance", "job", "le"}


def plain(expression: str) -> str:
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


EXPRESSIONS = {
    **{f"alert {rule['alert']}": rule["expr"] for rule in RULES},
    **{
        f"panel {panel['title']} {target['refId']}": plain(target["expr"])
        for panel in PANELS
        for target in panel["targets"]
    },
}


def selectors(node: Any) -> Iterator[Any]:
    """Yields every selector of a parsed expression."""
    match node:
        case promql.VectorSelector():
            yield node
        case promql.MatrixSelector():
            yield node.vector_selector
        case promql.BinaryExpr():
            yield from selectors(node.lhs)
            yield from selectors(node.rhs)
        case promql.Call():
            for argument in node.args:
                yield from selectors(argument)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from selectors(node.expr)


async def backed_up() -> list[Metric]:
    """Returns what a store exports once a backup is recorded."""

    async def measure() -> State:
        return State(size=1, backup=1.0)

    metrics = StoreMetrics("batch", measure)
    await metrics.look()
    return [*metrics.collect()]


async def shown(tmp_path: Path) -> dict[str, set[str]]:
    """Returns the samples that the whole program exports, with the labels of each."""
    kept: dict[str, Any] = {"data_dir": str(tmp_path)}
    services = {"ai": kept, "batch": {**kept, "workers": 1}, "chat": kept, "ocr": {"workers": 1}}
    settings = Settings(http_port=0, grpc_port=0, services=services)
    async with app.create(settings) as gateway, httpx2.AsyncClient(timeout=60) as client:
        base = f"http://127.0.0.1:{gateway.http_port}"
        for path in ("/v1/channels/town/messages", "/no/such", "/readyz"):
            await client.get(base + path)
        events = f"{base}/v1/channels/town/messages:stream?history_size=0"
        async with client.stream("GET", events) as stream:
            assert stream.status_code in (200, 404)
        text = ""
        async with asyncio.timeout(60):
            # They are counted in the background after the start.
            while not all(name in text for name in _COUNTED):
                text = (await client.get(base + "/metrics")).text
        await gateway.stop(0)
    found: dict[str, set[str]] = {}
    families = [*text_string_to_metric_families(text)]
    families += [*Upstream("the message store").collect()]  # exists with PostgreSQL only
    families += [*await backed_up()]
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
        found.setdefault(family.name + ("_bucket" if family.type == "histogram" else ""), {"le"})
    return found


async def test_every_expression_uses_existing_series_and_labels(tmp_path: Path) -> None:
    exist = await shown(tmp_path)
    of_calls = exist["grpc_server_handled_total"] - {"grpc_code"} | {"le"}
    for where, expression in EXPRESSIONS.items():
        found = [*selectors(promql.parse(expression))]
        assert found, where
        for selector in found:
            name = selector.name
            if name in _OF_PROMETHEUS:
                continue
            assert name in exist, f"{where}: no gateway shows {name}"
            # Stream histograms have no samples before a stream has ended; they have the labels of all calls.
            labels = exist[name] if exist[name] - {"le"} or not name.startswith("diptych_stream") else of_calls
            asked = {matcher.name for matcher in selector.matchers.matchers}
            assert asked <= labels | _LABELS_OF_PROMETHEUS, f"{where}: {name} has no {asked - labels}"


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_expressions_group_by_labels_of_their_series(where: str) -> None:
    known = {"grpc_type", "grpc_service", "grpc_method", "grpc_code", "protocol", "state", "check", "upstream"}
    known |= {"reason", "kind", "status", "service", *_LABELS_OF_PROMETHEUS}
    for labels in re.findall(r"\bby \(([^)]*)\)", EXPRESSIONS[where]):
        assert {label.strip() for label in labels.split(",")} <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_select_the_one_job_that_is_scraped(rule: dict[str, Any]) -> None:
    """Other jobs export process metrics too, and a rule for a job that nobody scrapes would never fire."""
    for selector in selectors(promql.parse(rule["expr"])):
        jobs = [one.value for one in selector.matchers.matchers if one.name == "job"]
        assert jobs == ["diptych"], selector.name


def test_prometheus_and_the_pod_monitor_set_that_job() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert "diptych" in {job["job_name"] for job in scraped["scrape_configs"]}
    (base,) = yaml.safe_load_all((MONITORING / "pod-monitor.yaml").read_text())
    pods = yaml.safe_load((KUBERNETES / "base" / "deployment.yaml").read_text())["spec"]["template"]
    labels = pods["metadata"]["labels"]
    assert labels[base["spec"]["jobLabel"]] == "diptych"
    assert base["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for port in pods["spec"]["containers"][0]["ports"]}
    assert {endpoint["port"] for endpoint in base["spec"]["podMetricsEndpoints"]} <= ports


def test_a_rule_fires_when_there_is_nothing_to_scrape() -> None:
    assert any(rule["expr"] == 'absent(up{job="diptych"})' for rule in RULES)


def test_alerts_reach_somebody() -> None:
    """Prometheus knows Alertmanager, which compose runs and whose only receivers exist."""
    folder = ROOT / "deploy" / "prometheus"
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text())
    (manager,) = scraped["alerting"]["alertmanagers"]
    (target,) = manager["static_configs"][0]["targets"]
    services = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())["services"]
    host, _, port = target.partition(":")
    assert port == "9093"
    assert set(services[host]["networks"]) & set(services["prometheus"]["networks"])
    assert "./prometheus/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro" in services[host]["volumes"]
    assert "ALERT_WEBHOOK_URL" in services[host]["environment"]
    config = yaml.safe_load((folder / "alertmanager.yml").read_text())
    named = {config["route"]["receiver"], *(route["receiver"] for route in config["route"]["routes"])}
    assert named == {receiver["name"] for receiver in config["receivers"]}
    assert all(receiver["webhook_configs"] for receiver in config["receivers"])


def test_kubernetes_has_the_same_rules() -> None:
    assert (MONITORING / "prometheus-rule.yaml").read_text() == alert_rules.rule(), "run make generate"
    (found,) = yaml.safe_load_all(alert_rules.rule())
    assert found["kind"] == "PrometheusRule"
    assert found["spec"] == ALERTS
    listed = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())["resources"]
    assert {*listed, "kustomization.yaml"} == {path.name for path in MONITORING.iterdir()}


def test_every_alert_has_a_severity_and_a_section_in_the_run_book() -> None:
    book = (ROOT / "docs" / "operations.md").read_text()
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
    told = re.findall(r"^### ((?:Diptych|Ocr|Batch)[A-Za-z]+)$", book, re.M)
    assert sorted(told) == sorted(names)


def test_grafana_can_read_the_dashboard() -> None:
    sources = ROOT / "deploy" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(sources.read_text())["datasources"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in PANELS:
        assert panel["datasource"] == {"type": "prometheus", "uid": source["uid"]}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(places) == len(set(places))


def test_prometheus_scrapes_the_images_metrics_port() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    (job,) = (one for one in scraped["scrape_configs"] if one["job_name"] == "diptych")
    port = re.search(r"METRICS_PORT=(\d+)", (ROOT / "deploy" / "Dockerfile").read_text())
    assert port is not None
    assert job["dns_sd_configs"][0]["port"] == int(port[1])
    assert scraped["rule_files"] == ["alerts.yml"]
