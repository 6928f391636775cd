"""A reader's terminal: one bash that keeps its folder and variables from one block to the next.

It knows no page. A command that fails is an error, also in the middle of a block, as it would be for a reader.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread, Timer
from typing import TextIO

LONGEST_SECONDS = 300
_LISTENING = re.compile(r"HTTP on (?:http://)?([\d.]+:\d+)(?:.*?gRPC on (?:\w+://)?([\d.]+:\d+))?")

# curl's options for tests: an HTTP error is a failure, and standard error has only errors.
CURLRC = "fail-with-body\nno-progress-meter\n"


class Failed(AssertionError):
    """A block did not do what the page says; the text is the terminal's output."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, `host:port` each."""

    http: str
    grpc: str


class Terminal:
    """See `terminal`."""

    def __init__(self, process: subprocess.Popen[str], scratch: Path) -> None:
        self._process = process
        self._scratch = scratch
        self._count = 0
        self._server: TextIO | None = None
        self._reader: Thread | None = None

    def run(self, code: str, *, fails: bool = False) -> str:
        """Runs `code` as typed and returns its standard output. Raises `Failed` unless it failed as expected."""
        errors = self._file("")
        failed, printed = self._type(
            f"FAILED=; trap 'FAILED=1' ERR; . {self._file(code)} </dev/null 2>{errors}; trap - ERR"
        )
        if failed is not fails:
            raise Failed(f"{'failed' if failed else 'succeeded'}:\n{code}\n{printed}{errors.read_text()}")
        return printed

    def first_line(self, code: str) -> str:
        """Runs endless `code` until it has printed a line, and returns the line."""
        fifo = self._fifo()
        _, printed = self._type(
            f"set -m; ( . {self._file(code)} ) </dev/null >{fifo} & set +m; head -n 1 {fifo};"
            " kill -- -$! 2>/dev/null; wait $! 2>/dev/null"
        )
        if not printed.strip():
            raise Failed(f"printed nothing:\n{code}")
        return printed

    def serve(self, code: str) -> Address:
        """Runs the server `code` in the background until `stop_server`, and returns where it listens."""
        self.stop_server()
        fifo = self._fifo()
        self._type(f"set -m; ( . {self._file(code)} ) </dev/null >{fifo} 2>&1 & SERVER=$!; set +m")
        log = self._server = fifo.open(encoding="utf-8")
        seen = []
        for line in log:
            seen.append(line)
            if found := _LISTENING.search(line):
                # Its later log lines are read too, so that a full pipe cannot block it.
                self._reader = Thread(target=deque, args=(log,), kwargs={"maxlen": 0})
                self._reader.start()
                return Address(found[1], found[2] or found[1])
        raise Failed(f"ended before it listened:\n{code}\n{''.join(seen)}")

    def stop_server(self) -> None:
        """Ends the server as Ctrl-C does, if there is one."""
        if self._server is None:
            return
        self._type("kill -INT -- -$SERVER 2>/dev/null; wait $SERVER; true")
        if self._reader is not None:
            self._reader.join()
        self._server.close()
        self._server = self._reader = None

    def write(self, name: str, text: str) -> None:
        """Writes the file `name` in the terminal's folder."""
        self.run(f'mkdir -p "$(dirname "{name}")" && cp {self._file(text)} "{name}"')

    def _type(self, command: str) -> tuple[bool, str]:
        mark = f"--- {os.urandom(8).hex()}"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\nprintf '%s %s\\n' '{mark}' \"$FAILED\"\n")
        self._process.stdin.flush()
        printed = []
        with _at_most(LONGEST_SECONDS, self._process):
            for line in self._process.stdout:
                before, found, status = line.partition(mark)
                printed.append(before)
                if found:
                    return bool(status.strip()), "".join(printed)
        raise Failed("the terminal ended:\n" + "".join(printed))

    def _file(self, text: str) -> Path:
        self._count += 1
        file = self._scratch / f"block-{self._count}"
        file.write_text(text, encoding="utf-8")
        return file

    def _fifo(self) -> Path:
        self._count += 1
        fifo = self._scratch / f"fifo-{self._count}"
        os.mkfifo(fifo)
        return fifo


@contextmanager
def _at_most(seconds: float, process: subprocess.Popen[str]) -> Iterator[None]:
    timer = Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def terminal(scratch: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A bash in the new folder `scratch`/work with exactly these variables, and `scratch`/home as its home."""
    work, home = scratch / "work", scratch / "home"
    work.mkdir(parents=True, exist_ok=True)
    home.mkdir(exist_ok=True)
    (home / ".curlrc").write_text(CURLRC, encoding="utf-8")
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=work,
        env={**environment, "HOME": str(home), "DIPTYCH_HTTP_PORT": "0", "DIPTYCH_GRPC_PORT": "0"},
        start_new_session=True,
    )
    with process:
        one = Terminal(process, scratch)
        try:
            one.run("set -o pipefail -o errtrace")
            yield one
        finally:
            if process.poll() is None:
                one.stop_server()
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
