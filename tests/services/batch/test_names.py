"""Worker names show whether a worker has ended, and never mistake another process for it."""

from __future__ import annotations

import os
import subprocess
import sys

from artificer_services.batch.worker import names

_TELL = (
    "import sys; from artificer_services.batch.worker import names; print(names.own(), flush=True); sys.stdin.read()"
)


def test_a_process_is_gone_once_it_has_ended() -> None:
    assert not names.gone(names.own())
    with subprocess.Popen([sys.executable, "-c", _TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        name = process.stdout.readline().decode().strip()
        assert name != names.own()
        assert not names.gone(name)
        process.kill()
        process.wait()
    assert names.gone(name)


def test_a_process_that_was_killed_and_not_yet_reaped_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", _TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        name = process.stdout.readline().decode().strip()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert names.gone(name)


def test_another_process_with_the_same_pid_is_not_mistaken_for_it() -> None:
    machine, _, process = names.own().rpartition("/")
    pid, _, started = process.partition(".")
    assert names.gone(f"{machine}/{pid}.{int(started) + 1}")


def test_workers_of_other_machines_are_left_to_their_leases() -> None:
    machine, _, process = names.own().rpartition("/")
    for name in (f"another-{machine}/1.1", f"{machine}x/{process}", "celery@host", "", f"{machine}/abc"):
        assert not names.gone(name)
