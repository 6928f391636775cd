"""Without the extras: everything imports and serves, and a setting that needs one fails at start in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority, settings

ROOT = Path(__file__).parents[2]
# FastAPI depends on OpenTelemetry's API; the exporters are in the extra.
EXTRAS = [
    "jwt",
    "cryptography",
    "limits",
    "redis",
    "opentelemetry.sdk",
    "sentry_sdk",
    "pygrpc_native",
    "fastapi_offline",
    "watchfiles",
]

HIDE = """
import json, sys
from importlib.abc import MetaPathFinder
extras, *given = json.load(sys.stdin)

class Hidden(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in extras:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""

JWT = {"issuer": "https://id.example", "audiences": ["x"], "secret": "s" * 32}
RULES = [{"rate": "1/day"}]
CASES: list[tuple[dict[str, Any], str]] = [
    ({"auth": {"jwt": JWT}}, 'auth.jwt needs PyJWT: pip install "diptych[jwt]"'),
    (
        {"limits": {"storage_url": "redis://127.0.0.1:1", "rules": RULES}},
        'limits.storage_url needs limits and redis: pip install "diptych[limits]"',
    ),
    (
        {"telemetry": {"otlp_endpoint": "http://127.0.0.1:1"}},
        'telemetry.otlp_endpoint needs OpenTelemetry: pip install "diptych[telemetry]"',
    ),
    (
        {"telemetry": {"sentry_dsn": "https://k@sentry.example/1"}},
        'telemetry.sentry_dsn needs sentry-sdk: pip install "diptych[sentry]"',
    ),
    ({"grpc_engine": "native"}, 'grpc_engine = "native" needs pygrpc-native: pip install "diptych[native]"'),
    ({}, "started"),
    ({"auth": {"api_keys_file": os.devnull}}, "started"),
]

SCRIPT = """
import asyncio
from diptych import Gateway, Settings
from diptych.extras import MissingExtra

async def started(settings):
    try:
        async with Gateway(Settings(http_port=0, grpc_port=0, **settings)) as gateway:
            await gateway.stop(0)
        return "started"
    except MissingExtra as missing:
        return str(missing)

print(json.dumps([asyncio.run(started(case)) for case in given[0]]))
"""


def without_extras(script: str, *given: Any) -> subprocess.CompletedProcess[str]:
    """Run a script that reads the names of the extras' modules, and `given`, from standard input."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", HIDE + script],
        input=json.dumps([EXTRAS, *given]),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/tests/gen:{ROOT}"},
    )


def test_a_missing_extra_is_named_at_start(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = {name: str(value) for name, value in settings(authority.shown()).items()}
    asked = {**files, "tls_client_ca": files["tls_certificate"], "tls_client_auth": "required"}
    cases = [
        *CASES,
        (files, "started"),
        (asked, 'tls_client_ca needs cryptography: pip install "diptych[mtls]"'),
    ]
    done = without_extras(SCRIPT, [given for given, _ in cases])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [expected for _, expected in cases]


DOCS = """
from fastapi.testclient import TestClient
from diptych import Gateway

with TestClient(Gateway().app) as client:
    answers = [client.get(path) for path in ("/docs", "/openapi.json", "/healthz")]
    print(json.dumps([[one.status_code, one.headers["content-type"], one.text] for one in answers]))
"""


def test_the_document_is_served_without_the_pages_of_docs() -> None:
    done = without_extras(DOCS)
    assert done.returncode == 0, done.stderr
    docs, document, health = json.loads(done.stdout)
    assert docs[:2] == [501, "text/plain; charset=utf-8"]
    assert docs[2].splitlines()[0] == '/docs needs fastapi-offline: pip install "diptych[docs]"'
    assert (document[0], json.loads(document[2])["openapi"]) == (200, "3.1.0")
    assert health[0] == 200


@pytest.mark.parametrize("words", [("serve", "--reload", "tests.kitchen_app:create")])
def test_the_command_names_a_missing_extra_in_one_line(words: tuple[str, ...]) -> None:
    done = without_extras("sys.argv[1:] = given[0]\nfrom diptych.cli import main\nmain()\n", list(words))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'diptych: serve --reload needs watchfiles: pip install "diptych[reload]"\n'
