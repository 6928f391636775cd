"""What users of the Python SDK can depend on: its names, what importing it loads, and a method for every RPC."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codegen.sdk import surface
from tests.sdk.surface import changelog


def test_the_snapshot_is_the_code() -> None:
    """`make surface` renews it; the diff then shows what changes for users."""
    written = surface.SNAPSHOT.read_text(encoding="utf-8").splitlines()[1:]
    assert surface.lines() == written, "run `make surface`, and look at what changes for users"


def test_the_changelog_names_what_is_removed() -> None:
    removed = changelog.removed(surface.SNAPSHOT, surface.names)
    assert [name for name in removed if name.removeprefix("artificer.") not in changelog.news()] == []


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        (
            "import artificer; artificer.Artificer; artificer.AsyncArtificer; artificer.errors",
            "pydantic httpx2 grpc websockets",
        ),
        ("import artificer; artificer.Artificer()", "grpc rich"),
        ("import artificer; artificer.Artificer().batch", "grpc rich"),
        ("import artificer; artificer.Artificer(transport='grpc').batch", "httpx2 websockets rich"),
    ],
)
def test_what_an_import_loads(program: str, absent: str) -> None:
    """A program pays for what it uses."""
    program += "; import sys; print([name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program, *absent.split()], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
