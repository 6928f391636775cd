"""What an operator sees of a start and a stop without configuration: no warning and no error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["one process", "two processes"])
def test_a_normal_start_logs_no_warning(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "diptych.cli", "serve", "artificer_services.app:create", *arguments]
    with subprocess.Popen(
        [*command, "--http-port", "0", "--grpc-port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "HTTP on" in line:
                process.send_signal(signal.SIGTERM)
                break
        lines += process.stderr.readlines()
    assert process.returncode == 0
    assert [line for line in lines if json.loads(line)["level"] != "info"] == []
