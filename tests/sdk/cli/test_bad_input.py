"""What no request can have, at every door of the command: one line that says so, and exit code 2."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import commands
from tests.waiting import PATIENCE

NOBODY = "127.0.0.1:1"  # nothing is sent
BYTES = "\udcff"  # an argument that is the byte 0xff

FILES = {
    "bytes": b"\xff",
    "deep": b"[" * 100_000,
    "numbers.yaml": b"steps: [{type: ocr.extract, 1: 2, a: 3}]",
    "texts.yaml": b"steps: [{type: ocr.extract, dpi: many}]",
    "languages.yaml": b"steps: [{type: ocr.extract, languages: [no]}]",
    "template.yaml": b"steps: [{type: text.template, template: on}]",
    "image.yaml": b"steps: [{type: image.process, steps: [{resise: {width: 3}}]}]",
    "name.yaml": b"steps: [{type: text.normalize, name: 7}]",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("chat stream @bytes", "'@bytes' is not JSON: this is not UTF-8"),
        ("chat stream @deep", "'@deep' is not JSON: too many values are nested"),
        ("batch submit --from-file deep --json-lines", "line 1 of deep: too many values are nested"),
        ("batch submit --from-file bytes", "line 1 of bytes: this is not UTF-8"),
        (
            f"batch submit --from-file name.yaml --name {BYTES}",
            r"'\udcff' is not UTF-8",
        ),
        (f"batch status {BYTES}", r"'\udcff' is not UTF-8"),
        (f"batch get {BYTES}", r"'\udcff' is not UTF-8"),
        (f"convert bytes --to {BYTES}", r"'\udcff' is not UTF-8"),
        (f"ocr bytes --pages {BYTES}", r"'\udcff' is not UTF-8"),
        ("ocr bytes --dpi 99999999999", "99999999999"),
        ("batch get job --timeout inf", "Invalid value for '--timeout'"),
        ("batch get job --timeout nan", "Invalid value for '--timeout'"),
        ("orchestration run bytes", "bytes is not YAML: this is not UTF-8"),
        ("orchestration run deep", "deep is not YAML: too many values are nested"),
        ("orchestration run numbers.yaml", "step 1: unknown field 1, a; expected dpi"),
        ("orchestration run texts.yaml", "step 1: dpi must be a whole number, not 'many'"),
        ("orchestration run languages.yaml", "step 1: languages must be a list of texts, not [False]"),
        ("orchestration run template.yaml", "step 1: template must be text, not bool"),
        ("orchestration run image.yaml", "steps[0].resise: there is no such field"),
        ("orchestration run name.yaml --input x", "step 1: name must be text, not int"),
    ],
)
def test_it_is_refused_in_one_line(arguments: str, told: str, folder: Path) -> None:
    env = os.environ | {"ARTIFICER_SERVER": NOBODY}
    done = commands.run("artificer.cli", *arguments.split(" "), folder=folder, env=env)
    assert told in done.stderr
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")


@pytest.mark.parametrize("arguments", ["convert - --to md", "orchestration run -", "chat stream @-"])
def test_a_closed_standard_input_is_an_empty_one(arguments: str, tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m artificer.cli {arguments} <&-"
    env = os.environ | {"ARTIFICER_SERVER": NOBODY}
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (2, 3)  # 3: an empty document would be sent
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_command_ends_while_its_standard_input_waits(tmp_path: Path) -> None:
    """gRPC reads it in a thread of its own, which is not waited for."""
    env = os.environ | {"ARTIFICER_SERVER": NOBODY}
    command = [sys.executable, "-m", "artificer.cli", "convert", "-", "--to", "md"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.wait(PATIENCE) == 3
        assert process.stderr is not None
        assert process.stderr.read().count("\n") == 1
