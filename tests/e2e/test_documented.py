"""The live OpenAPI document against the live server, by third-party clients: a validator and a fuzzer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.e2e.conftest import Served
from tests.waiting import PATIENCE


def test_the_document_is_valid(served: Served) -> None:
    document = httpx2.get(served.http + "/openapi.json", timeout=PATIENCE).json()
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    some = {"/v1/documents:process", "/v1/documents:convert", "/v1/images:process", "/healthz"}
    assert some <= document["paths"].keys()


def fuzz(address: str, folder: Path, *options: str) -> str:
    """Returns what schemathesis prints after a run without failures; schemathesis.toml configures it."""
    config = Path(__file__).with_name("schemathesis.toml")
    tool = Path(sys.executable).with_name("schemathesis")
    command = [str(tool), "--config-file", str(config), "run", *options, address + "/openapi.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_schemathesis_finds_no_fault_in_the_services(served: Served, tmp_path: Path) -> None:
    """There is no 5xx, and every answer is in the document."""
    # A schema cannot say which bytes are a valid PDF, so the server may refuse generated ones.
    printed = fuzz(served.http, tmp_path, "--exclude-checks=positive_data_acceptance,negative_data_rejection")
    assert "Tested: 68" in printed


def test_schemathesis_finds_no_fault_in_the_kitchen(kitchen_served: Served, tmp_path: Path) -> None:
    """Every kind of binding and field: the server accepts what the document allows, and every answer conforms to it."""
    printed = fuzz(kitchen_served.http, tmp_path)
    assert "Tested: 23" in printed
