"""What importing the library brings along: no room until a name is used, and no library that a call never needs."""

from __future__ import annotations

import subprocess
import sys

UNUSED = {"jwt", "limits", "opentelemetry.sdk", "prometheus_client", "pydantic_settings", "redis", "rich", "structlog"}
UNUSED |= {"cryptography", "fastapi_offline", "pygrpc_native", "typer"}  # uvicorn imports watchfiles by itself


def imported(code: str) -> set[str]:
    """The modules of a process that has run `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_package_alone_imports_none_of_its_rooms() -> None:
    assert {name for name in imported("import diptych") if name.startswith("diptych")} == {"diptych"}


def test_a_gateway_imports_no_library_that_serving_does_not_need() -> None:
    assert imported("from diptych import Gateway") & UNUSED == set()
