"""`artificer batch` against the program that `make serve` runs: two hundred documents, and all commands on jobs."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Served, serving
from tests.e2e.documents import Document, documents

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "artificer.cli", "batch"]
PATIENT = 120  # seconds
_BAR = re.compile(r"(\d+)%\s+(\d+) of (\d+) items(?:, (\d+) failed)?, (\w+)")


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Document]]:
    """A folder of two hundred files, below the server's root."""
    folder = tmp_path_factory.mktemp("root") / "inbox"
    folder.mkdir()
    made = {one.name: one for one in documents()}
    for one in made.values():
        (folder / one.name).write_bytes(one.data)
    return folder, made


@pytest.fixture(scope="module")
def server(inbox: tuple[Path, dict[str, Document]]) -> Iterator[Served]:
    """The program, with the task type test.trial."""
    with serving(
        "--set", "services.batch.trial_tasks=true", "--set", f"services.batch.tasks.root={inbox[0].parent}"
    ) as up:
        yield up


@pytest.fixture
def environment(server: Served) -> dict[str, str]:
    """Returns the command's environment, without any variable of the user."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    return kept | {"ARTIFICER_ADDRESS": server.grpc, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs a command until it ends."""

    def run(*arguments: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=PATIENT,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr
        return done

    return run


class Terminal:
    """A command whose standard error is a terminal."""

    def __init__(self, process: subprocess.Popen[str], terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self.shown = ""

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def until(self, wanted: Callable[[str], bool]) -> str:
        """Reads until the output matches or the command has ended."""
        while not wanted(self.shown):
            assert select.select([self._terminal], [], [], PATIENT)[0], f"silent after {self.shown[-500:]!r}"
            try:
                piece = os.read(self._terminal, 65536)
            except OSError:  # EIO: the other side is closed
                return self.shown
            self.shown += piece.decode(errors="replace")
        return self.shown

    def bars(self) -> list[tuple[int, int, str]]:
        """Returns what the progress bar has shown: percentage, completed items, state."""
        return [
            (int(one[1]), int(one[2]), one[5]) for one in _BAR.finditer(re.sub(r"\x1b\[[0-9;?]*\w", "", self.shown))
        ]


@contextmanager
def terminal(environment: dict[str, str], *arguments: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env=environment,
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)
            finally:
                process.kill()
    finally:
        os.close(ours)


def results(run: Run, job: str, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("results", job, *options).stdout.splitlines()]


def test_two_hundred_documents_are_read_and_only_broken_ones_fail(
    inbox: tuple[Path, dict[str, Document]], environment: dict[str, str], run: Run, tmp_path: Path
) -> None:
    folder, made = inbox
    # One item at a time, so that some are left to pause when the command starts.
    with terminal(environment, "submit", str(folder), "--watch", "--name", "two hundred", "--concurrency", "1") as bar:
        job = bar.line()
        bar.until(lambda _: any(done >= 2 for _, done, _ in bar.bars()))
        assert run("pause", job).stdout == "paused\n"
        bar.until(lambda _: any(state == "paused" for *_, state in bar.bars()))
        while results(run, job, "--status", "running"):
            pass  # items that ran during the pause end
        held = json.loads(run("status", job, "--json").stdout)
        assert held["status"] == "JOB_STATUS_PAUSED"
        assert 0 < int(held["completedItems"]) < 200
        assert len(results(run, job, "--status", "completed")) == int(held["completedItems"])
        assert run("resume", job).stdout == "running\n"
        bar.until(lambda shown: "results" in shown)
        assert bar.process.wait(PATIENT) == 1  # some items failed
    percentages = [percentage for percentage, *_ in bar.bars()]
    assert percentages == sorted(percentages)
    assert len(set(percentages)) > 5  # the bar moved
    assert {"running", "paused", "completed"} <= {state for *_, state in bar.bars()}

    out = tmp_path / "results.jsonl"
    run("results", job, "-o", str(out))
    found = {Path(one["metadata"]["name"]).name: one for one in map(json.loads, out.read_text().splitlines())}
    assert found.keys() == made.keys()
    for name, document in made.items():
        one = found[name]
        if document.reason:
            assert (one["status"], one["output"], one["phaseOutputs"]) == ("ITEM_STATUS_FAILED", "", {}), name
            assert document.reason in one["error"], name
        else:
            assert (one["status"], one["error"]) == ("ITEM_STATUS_COMPLETED", ""), name
            assert one["phaseOutputs"].keys() == {"extract", "normalize"}, name
            assert set(document.words) <= set(one["output"].split()), name
    broken = {name for name, document in made.items() if document.reason}
    rows = list(csv.DictReader(run("results", job, "--format", "csv", "--status", "failed").stdout.splitlines()))
    assert {Path(row["name"]).name for row in rows} == broken
    assert all(row["error"] and row["status"] == "FAILED" for row in rows)
    told = run("status", job).stdout
    assert f"{200 - len(broken)} of 200 items, {len(broken)} failed" in told
    log = run("logs", job).stdout
    assert "pages, " in log
    assert "password" in log


def test_paths_below_the_servers_root_are_read_and_others_refused(
    inbox: tuple[Path, dict[str, Document]], run: Run
) -> None:
    _, made = inbox
    name = next(name for name, document in made.items() if document.words)
    job = run("submit", "--by-path", f"inbox/{name}", "--phase", "ocr.extract", "--watch").stdout.strip()
    (one,) = results(run, job)
    assert (one["input"], one["status"]) == (f"inbox/{name}", "ITEM_STATUS_COMPLETED")
    assert set(made[name].words) <= set(one["output"].split())
    for path in ("../secret", "/etc/passwd", "inbox/../../secret"):
        refused = run("submit", "--by-path", path, code=2)
        assert re.match(r"artificer: .*items\[0\]\.input: ", refused.stderr)
        assert refused.stderr.count("\n") == 1


def test_lines_from_standard_input_and_plain_output_without_a_terminal(run: Run) -> None:
    done = run("submit", "-", "--phase", "text.normalize", "--watch", "--name", "lines", stdin="one\ntwo  words\n")
    job = done.stdout.strip()
    assert "\x1b" not in done.stderr
    lines = done.stderr.splitlines()
    assert lines[-2:] == ["lines: 100 %, 2 of 2 items, completed", "completed: 2 of 2 items"]
    assert [(one["input"], one["output"]) for one in results(run, job)] == [("one", "one"), ("two  words", "two words")]


def test_a_list_is_streamed_and_a_repeated_request_creates_one_job(run: Run, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(
        "".join(f'{{"input": "line {number}", "metadata": {{"n": "{number}"}}}}\n' for number in range(5000))
    )
    options = ["--json-lines", "--phase", "text.normalize", "--request-id", uuid.uuid4().hex, "--no-start"]
    jobs = {run("submit", "--from-file", str(listed), *options).stdout.strip() for _ in range(2)}
    (job,) = jobs
    assert json.loads(run("status", job, "--json").stdout)["totalItems"] == "5000"
    last = results(run, job)[-1]
    assert (last["itemIndex"], last["input"], last["metadata"]) == ("4999", "line 4999", {"n": "4999"})
    other = run("submit", "--from-file", str(listed), *options, "--name", "another", code=1)
    assert "the request id was already used by a different request" in other.stderr
    assert run("cancel", job).stdout == "cancelled\n"


def test_commands_watch_pause_resume_and_cancel_a_job(run: Run, environment: dict[str, str]) -> None:
    slow = ["--phase", "work=test.trial", "--phase-param", "work.seconds=600", "--phase-param", "work.log=3"]
    job = run("submit", "-", "--no-start", *slow, stdin="a\nb\nc\n").stdout.strip()
    assert run("start", job).stdout == "running\n"
    with subprocess.Popen(
        [*COMMAND, "logs", "-f", job], stdout=subprocess.PIPE, text=True, env=environment
    ) as following:
        assert following.stdout is not None
        assert any("line 2 of attempt 1" in line for line in following.stdout)
        with terminal(environment, "watch", job) as bar:
            bar.until(lambda _: any(state == "running" for *_, state in bar.bars()))
            bar.process.send_signal(signal.SIGINT)
            shown = bar.until(lambda _: False)
            assert bar.process.wait(PATIENT) == 130
        assert f"job {job} continues: `artificer batch watch {job}`" in shown
        assert run("pause", job).stdout == "paused\n"
        assert run("resume", job).stdout == "running\n"
        assert run("cancel", job).stdout == "cancelled\n"
        assert following.stdout.read() is not None  # the log ends with the job
        assert following.wait(PATIENT) == 0
    refused = run("resume", job, code=1)
    assert "cannot resume a job that is CANCELLED" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert run("watch", job, code=1).stderr.splitlines()[-1].startswith("cancelled: 0 of 3 items")


def test_jobs_are_listed_for_people_and_for_programs(run: Run) -> None:
    project = uuid.uuid4().hex
    trick = "[red]\x1b[31mBONUS\x1b[0m"
    job = run(
        "submit", "-", "--no-start", "--project", project, "--name", "a [b]", "--phase", "text.normalize", stdin="x"
    ).stdout
    rows = [line.split("\t") for line in run("status", "--project", project).stdout.splitlines()]
    assert [row[0] for row in rows] == ["job", job.strip()]
    assert dict(zip(rows[0], rows[1], strict=True)) | {"made": ""} == {
        "job": job.strip(), "state": "pending", "done": "0", "failed": "0", "of": "1", "made": "", "name": "a [b]",
    }  # fmt: skip
    (listed,) = map(json.loads, run("status", "--json", "--project", project, "--state", "pending").stdout.splitlines())
    assert listed["id"] == job.strip()
    assert run("status", "--project", project, "--state", "running", "--json").stdout == ""
    assert (
        "must not contain control characters"
        in run("submit", "-", "--name", trick, "--phase", "text.normalize", code=2, stdin="x").stderr
    )
    assert "text.normalize" in run("tasks").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["submit", "-", "--phase", "no.such"], 2, r"phases\[0\]\.task_type"),
        (["submit"], 2, "must come from either FILES or --from-file"),
        (["submit", "/no/such/file"], 2, "neither a file nor a folder"),
        (["submit", "--from-file", "/no/such/file"], 2, "No such file"),
        (["submit", "-", "--watch", "--no-start"], 2, "never begins"),
        (["submit", "-", "--phase", "text.normalize"], 2, "the job has no items"),
        (["status", "no-such-job"], 1, "there is no"),
        (["status", "--state", "odd"], 2, "odd"),
        (["status", "--address", "127.0.0.1:1"], 3, "cannot be reached"),
        (["results", "no-such-job", "-o", "/no/such/folder/file"], 2, "No such file"),
        (["logs", "no-such-job"], 1, "there is no"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(run: Run, arguments: list[str], code: int, told: str) -> None:
    done = run(*arguments, code=code)
    assert re.search(told, done.stderr), done.stderr
    assert done.stderr.startswith("artificer: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_list_that_is_cut_says_so(run: Run) -> None:
    project = ["--project", f"p-{uuid.uuid4().hex[:8]}"]
    for _ in range(3):
        run("submit", "-", "--no-start", "--phase", "text.normalize", *project, stdin="x\n")
    whole, cut = run("status", "--json", *project, "--limit", "3"), run("status", "--json", *project, "--limit", "2")
    assert (whole.stdout.count("\n"), whole.stderr) == (3, "")
    assert cut.stdout.count("\n") == 2
    assert cut.stderr == "only the newest 2 jobs are listed, and there are more; see --limit\n"


def test_the_address_may_stand_before_the_subcommand(server: Served, environment: dict[str, str]) -> None:
    bare = {name: value for name, value in environment.items() if name != "ARTIFICER_ADDRESS"}
    nobody = "127.0.0.1:1"
    for arguments, code in (
        (["--address", server.grpc, "batch", "tasks"], 0),
        (["batch", "--address", server.grpc, "tasks"], 0),
        (["batch", "tasks", "--address", server.grpc], 0),
        (["--address", nobody, "batch", "tasks", "--address", server.grpc], 0),  # the last one wins
        (["--address", server.grpc, "batch", "--address", nobody, "tasks"], 3),
    ):
        command = [*COMMAND[:-1], *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=bare, check=False, timeout=PATIENT)
        assert done.returncode == code, (arguments, done.stderr)


def test_no_partial_file_is_left_when_results_cannot_be_read(run: Run, tmp_path: Path) -> None:
    run("results", "no-such-job", "-o", str(tmp_path / "out"), code=1)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_may_leave_early(run: Run, environment: dict[str, str]) -> None:
    job = run("submit", "-", "--no-start", "--phase", "text.normalize", stdin="x\n" * 3000).stdout.strip()
    reader = ["sh", "-c", '"$@" | head -n 1', "sh", *COMMAND, "results", job]
    done = subprocess.run(reader, capture_output=True, text=True, env=environment, check=True, timeout=PATIENT)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
