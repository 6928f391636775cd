"""What a worker tells its supervisor about its stop."""

from __future__ import annotations

import signal
import socket

from diptych.workers.child import STOP, Child


class Told(Child):
    """A child without a process, at the end of a channel that a test writes to."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel, self._rest = channel, b""
        self.ready, self.leaving = True, False
        self.kill_at, self.closing = None, 0.0

    def signal(self, number: int) -> None:
        raise AssertionError(signal.Signals(number))


def test_the_time_that_an_application_needs_to_close_is_added() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = Told(ours)
        theirs.send(b"closing 64.5\nready\n")
        assert child.received() == ["closing", "ready"]
        child.ask_to_end(STOP, 100.0, 40.0)
        assert child.kill_at == 204.5
        assert theirs.recv(100) == b"stop\n"
