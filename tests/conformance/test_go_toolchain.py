"""CI's own Go: it comes from a module proxy, and is only run if it is the archive that was expected."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from codegen import go_toolchain

TARGET = "linux-amd64"
PREFIX = f"golang.org/toolchain@{go_toolchain.VERSION}.{TARGET}"


def archive() -> bytes:
    """A toolchain whose `go` is a script; like a proxy's, it has no modes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as files:
        files.writestr(f"{PREFIX}/bin/go", "#!/bin/sh\necho it runs\n")
        files.writestr(f"{PREFIX}/pkg/tool/linux_amd64/link", "")
    return written.getvalue()


class Proxy(BaseHTTPRequestHandler):
    """Serves the archive at its one address."""

    def do_GET(self) -> None:
        found = self.path == f"/golang.org/toolchain/@v/{go_toolchain.VERSION}.{TARGET}.zip"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(archive() if found else b"")

    def log_message(self, *_: object) -> None:
        """Writes nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A proxy that GOPROXY names, on a machine without Go."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        Thread(target=server.serve_forever).start()
        monkeypatch.setenv("GOPROXY", f"http://127.0.0.1:{server.server_port},direct")
        monkeypatch.setattr("codegen.go_toolchain._FOLDER", tmp_path)
        monkeypatch.setattr("shutil.which", lambda _: None)
        monkeypatch.setattr("platform.system", lambda: "Linux")
        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        yield
        server.shutdown()


@pytest.mark.usefixtures("proxy")
def test_go_is_downloaded_and_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(go_toolchain.SHA256, TARGET, hashlib.sha256(archive()).hexdigest())
    assert go_toolchain.main() == 0
    folder = capsys.readouterr().out.strip()
    assert subprocess.check_output([os.path.join(folder, "go")], text=True) == "it runs\n"
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")  # it is there, so nothing is downloaded
    assert go_toolchain.main() == 0


@pytest.mark.usefixtures("proxy")
def test_another_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not the archive that was expected"):
        go_toolchain.main()
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("proxy")
def test_an_unknown_machine_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("platform.machine", lambda: "mips")
    assert go_toolchain.main() == 1
    assert "there is no digest of Go for linux-mips" in capsys.readouterr().err
