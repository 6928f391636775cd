"""One worker process as the supervisor sees it: starts it, exchanges lines with it, signals it.

It decides nothing; `supervisor` does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Sequence

from .notify import VARIABLE
from .plan import WORKER_OPTION, Plan, Slot
from .ports import Ports

READY, BEAT, DRAINING, CLOSING = "ready", "beat", "draining", "closing"
STOP, LEAVE, ADOPT, COUNT = "stop", "leave", "adopt", "count"
# Longer than any line of a worker; more without a newline comes from another program that inherited the descriptor.
_LONGEST = 4096


class Child:
    """A worker process. `now` is the time of its start, in seconds of the monotonic clock."""

    def __init__(self, plan: Plan, ports: Ports, index: int, metrics_dir: str, now: float) -> None:
        """Starts it. Raises OSError if the system cannot create a process."""
        self.index = index
        self.ready = self.leaving = False
        self.adopted: set[int] = set()
        self.counted = -1
        self.started = self.heard = now
        self.kill_at: float | None = None
        self.closing = 0.0
        """Seconds that its application may take to close, after the grace of its calls."""
        self._rest = b""
        self.channel, theirs = socket.socketpair()
        self.channel.setblocking(False)
        http, *rest = (one.fileno() for one in ports.of(index))
        slot = Slot(
            index=index,
            workers=plan.workers,
            channel=theirs.fileno(),
            http=http,
            grpc=rest[0] if rest else None,
            http_host=plan.http_host,
            http_port=ports.http_port,
            grpc_host=plan.grpc_host,
            grpc_port=ports.grpc_port,
            metrics_port=ports.metrics_port,
            metrics_dir=metrics_dir,
            private_dir=plan.metrics_dir is None,
        )
        try:
            self.process = subprocess.Popen(  # noqa: S603, the command is our own
                [*plan.command, WORKER_OPTION, slot.text()],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), http, *rest],
                env={name: value for name, value in os.environ.items() if name != VARIABLE},
                # A terminal's Ctrl-C reaches only the supervisor, which passes it on.
                process_group=0,
            )
        except BaseException:
            self.channel.close()
            raise
        finally:
            theirs.close()

    def __str__(self) -> str:
        return f"worker {self.index} (process {self.process.pid})"

    def send(self, word: str, number: int | None = None) -> None:
        """Sends a line; a worker that does not read is detected by its missing heartbeats."""
        with contextlib.suppress(OSError):
            self.channel.send(f"{word}\n".encode() if number is None else f"{word} {number}\n".encode())

    def adopt_sockets(self, sockets: Sequence[socket.socket]) -> None:
        """Lets it accept on the sockets of empty slots: those of HTTP first, then those of gRPC if there are any."""
        line = f"{ADOPT} {len(sockets)}\n".encode()
        with contextlib.suppress(OSError):
            if sockets:
                # Sent, not inherited: an inherited socket would still listen after its worker ends.
                socket.send_fds(self.channel, [line], [one.fileno() for one in sockets])
            else:
                self.channel.send(line)

    def received(self) -> Sequence[str] | None:
        """Returns the complete lines received since the last call, or None at the end of the channel."""
        try:
            data = self.channel.recv(_LONGEST)
        except BlockingIOError:
            return ()
        except OSError:
            data = b""
        if not data:
            return None
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LONGEST:]
        return [self._noted(line.decode("ascii", "replace")) for line in lines]

    def _noted(self, line: str) -> str:
        word, _, seconds = line.partition(" ")
        if word == CLOSING:
            with contextlib.suppress(ValueError):
                self.closing = float(seconds)
        return word

    def ask_to_end(self, word: str, now: float, seconds: float) -> None:
        """Asks it to end within `seconds` and the time that its application needs."""
        if self.kill_at is not None:
            return
        self.leaving = True
        self.kill_at = now + seconds + self.closing
        if self.ready:
            self.send(word)
        else:  # it does not read the channel yet
            self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Sends a signal."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def exit_reason(self) -> str | None:
        """Describes how it ended; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        return f"ended with code {code}" if code >= 0 else f"was killed by {_name(-code)}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
