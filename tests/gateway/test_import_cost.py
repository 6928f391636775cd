"""What importing the library imports: modules only when used, and no library that serving does not need."""

from __future__ import annotations

import subprocess
import sys

UNUSED = {"jwt", "limits", "opentelemetry.sdk", "prometheus_client", "pydantic_settings", "redis", "rich", "structlog"}
UNUSED |= {"cryptography", "fastapi_offline", "pygrpc_native", "typer"}  # uvicorn imports watchfiles by itself


def imported(code: str) -> set[str]:
    """Returns the modules of a process that has run `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def own_modules(code: str) -> set[str]:
    return {name for name in imported(code) if name.startswith("diptych")}


def test_the_package_alone_imports_none_of_its_modules() -> None:
    assert own_modules("import diptych") == {"diptych"}


def test_the_gateway_class_alone_imports_hardly_any_of_them() -> None:
    assert own_modules("from diptych import Gateway") == {"diptych", "diptych.gateway", "diptych.process"}


def test_a_gateway_imports_no_library_that_its_settings_do_not_need() -> None:
    code = "from diptych import Gateway, Settings; Gateway(Settings(docs=False, telemetry={'metrics': False})).build()"
    assert imported(code) & UNUSED == set()
