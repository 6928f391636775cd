"""Each alert fires on the series that deploy/prometheus/alerts_test.yml gives for it, and no other alert does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from tests.deploy.promql_eval import Labels, Series

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
FILE = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())
CASES: list[dict[str, Any]] = FILE["tests"]
_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> int:
    """Returns a duration in Prometheus' notation in seconds."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))


def fires(rule: dict[str, Any], series: Series, now: int, every: int) -> bool:
    """Whether an alert fires: its expression has had the same labels in every evaluation since `for` began."""
    expression = promql.parse(rule["expr"])
    lasting: set[Labels] | None = None
    for at in range(now - seconds(rule.get("for", "0s")), now + 1, every):
        found = series.value(expression, float(at))
        assert isinstance(found, dict)
        lasting = set(found) if lasting is None else lasting & set(found)
        if not lasting:
            return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_exactly_the_expected_alerts_fire(case: dict[str, Any]) -> None:
    series = Series(case["input_series"], seconds(case["interval"]))
    for test in case["promql_expr_test"]:
        expected = {re.findall(r'alertname="(\w+)"', one["labels"])[0] for one in test["exp_samples"]}
        ignored = set(re.findall(r'alertname!="(\w+)"', test["expr"]))
        now, every = seconds(test["eval_time"]), seconds(FILE["evaluation_interval"])
        found = {rule["alert"] for rule in RULES if fires(rule, series, now, every)}
        assert found - ignored == expected


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    expected = [one["labels"] for case in CASES for test in case["promql_expr_test"] for one in test["exp_samples"]]
    assert sorted(re.findall(r'alertname="(\w+)"', " ".join(expected))) == sorted(rule["alert"] for rule in RULES)
