"""Writes deploy/kubernetes/monitoring/prometheus-rule.yaml: the alerts, for the Prometheus Operator.

The lines are copied as they are, so that comments stay. It knows no alert.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

DEPLOY = Path(__file__).parents[1] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
RULE = DEPLOY / "kubernetes" / "monitoring" / "prometheus-rule.yaml"

_HEAD = """\
# Written by `make generate` from deploy/prometheus/alerts.yml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: diptych
spec:
"""


def rule() -> str:
    """Returns the PrometheusRule."""
    text = ALERTS.read_text(encoding="utf-8")
    return _HEAD + textwrap.indent(text[text.index("groups:") :], "  ")


def main() -> None:
    """Write the file."""
    RULE.write_text(rule(), encoding="utf-8")


if __name__ == "__main__":
    main()
