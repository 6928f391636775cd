"""The generated commands against the program that `make serve` runs, over both transports."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests import commands
from tests.e2e.conftest import ROOT, Served

Run = Callable[..., subprocess.CompletedProcess[str]]
PATIENT = 120  # seconds
SCAN = ROOT / "examples" / "scan.pdf"


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "artificer.cli", *arguments]


@pytest.fixture(params=["rest", "grpc"])
def environment(served: Served, request: pytest.FixtureRequest) -> dict[str, str]:
    """A user's environment, in which the address chooses the transport."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARTIFICER_")}
    server = served.http if request.param == "rest" else served.grpc
    return kept | {"ARTIFICER_SERVER": server, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs a command in an empty folder until it ends."""

    def run(*arguments: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = commands.run("artificer.cli", *arguments, folder=tmp_path, env=environment, given=stdin)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
        assert "Traceback" not in str(done.stderr)
        return done

    return run


def name() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


def test_a_collection_is_made_filled_searched_asked_and_deleted(run: Run, tmp_path: Path) -> None:
    collection = name()
    (tmp_path / "pier.txt").write_text("The harbour master of Wismar is Anna Brandt. She keeps the pier lights.")
    made = json.loads(run("collections", "create", collection, "--display-name", "Port", "--output", "json").stdout)
    assert (made["id"], made["displayName"], made["documentCount"]) == (collection, "Port", 0)
    document = run("collections", "documents", "create", collection, "pier.txt", "pier", "--metadata", "town=Wismar")
    assert "id: pier\n" in document.stdout
    head, row = run("collections", "documents", "list", collection).stdout.splitlines()
    assert dict(zip(head.split("\t"), row.split("\t"), strict=True))["metadata.town"] == "Wismar"
    found = json.loads(run("collections", "retrieve", collection, "harbour master", "--output", "json").stdout)
    assert "Anna Brandt" in found["passages"][0]["chunk"]["text"]
    answer = run("collections", "ask", collection, "Who is the harbour master?").stdout
    assert answer.strip()
    events = [
        json.loads(line)
        for line in run("collections", "ask", collection, "Who?", "--output", "ndjson").stdout.splitlines()
    ]
    assert "passages" in events[0]
    assert "end" in events[-1]
    assert run("collections", "delete", collection, "--force").stdout == ""
    assert f"there is no collection '{collection}'" in run("collections", "get", collection, code=1).stderr


def test_a_conversation_streams_its_answer_as_text(run: Run) -> None:
    conversation = json.loads(run("conversations", "create", "--display-name", "talk", "--output", "json").stdout)["id"]
    answer = run("conversations", "send", conversation, "Say hello.").stdout
    assert answer.endswith("\n")
    stored = [
        json.loads(line)
        for line in run("conversations", "messages", "list", conversation, "--output", "ndjson").stdout.splitlines()
    ]
    assert [one["role"] for one in stored] == ["CHAT_ROLE_USER", "CHAT_ROLE_ASSISTANT"]
    assert stored[1]["content"].strip() == answer.strip()
    run("conversations", "delete", conversation)


def test_a_chat_takes_plain_text_and_prints_plain_text(run: Run) -> None:
    assert run("chat", "stream", "Say hello.", "--options", '{"max_tokens": 8}').stdout.strip()
    made = json.loads(run("chat", "completions", "create", "Hi", "--max-tokens", "4", "--output", "json").stdout)
    assert made["usage"]["completion_tokens"] <= 4
    assert run("chat", "completions", "create", "Hi", "--max-tokens", "4", "--stream").stdout.strip()


def test_models_and_embeddings(run: Run) -> None:
    models = json.loads(run("models", "list", "--output", "json").stdout)
    assert {"chat", "embeddings"} <= {capability for model in models for capability in model["capabilities"]}
    made = json.loads(run("embeddings", "get", "one text", "another", "--output", "json").stdout)
    assert len(made["embeddings"]) == 2
    assert f"{made['dimension']} numbers]" in run("embeddings", "get", "one text").stdout


def test_a_document_is_read_and_made_searchable(run: Run, tmp_path: Path) -> None:
    assert "Invoice number 20261121" in run("documents", "process", str(SCAN)).stdout
    assert "# " not in run("documents", "render", str(SCAN), "--pages", "2").stdout
    pages = [
        json.loads(line)
        for line in run("documents", "process-stream", str(SCAN), "--output", "ndjson").stdout.splitlines()
    ]
    assert len(pages) == 3
    run("documents", "make-searchable", str(SCAN), "--out", "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")
    assert run("documents", "convert", "-", "--to", "html", "--input-format", "md", stdin="# Head").stdout.startswith(
        "<h1"
    )


def test_an_asset_from_standard_input_is_indexed(run: Run) -> None:
    collection = name()
    run("collections", "create", collection)
    made = run(
        "assets", "process", collection, "-", "--content-type", "text/plain", "--output", "json", stdin="A text."
    )
    assert json.loads(made.stdout)["document"]
    run("collections", "delete", collection, "--force")


def test_messages_are_sent_listed_and_streamed(run: Run, environment: dict[str, str]) -> None:
    channel = name()
    requests = "".join(json.dumps({"content": text, "user": {"id": "kim"}}) + "\n" for text in ("one", "two \x1b[2J"))
    sent = json.loads(run("channels", "messages", "send", channel, "--output", "json", stdin=requests).stdout)
    assert sent
    lines = run("channels", "messages", "list", channel, "--output", "ndjson").stdout.splitlines()
    assert {json.loads(line)["content"] for line in lines} == {"one", "two \x1b[2J"}
    command = program("channels", "messages", "stream", channel)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as following:
        try:
            assert following.stdout is not None
            shown = [following.stdout.readline().split(" ", 1)[1] for _ in range(2)]
            following.send_signal(signal.SIGINT)
            assert following.wait(PATIENT) == 130
        finally:
            following.kill()
    assert shown == ["one\n", "two \\x1b[2J\n"]


def test_a_job_is_run_by_generated_commands(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("two  words")
    blob = json.loads(run("batch", "blobs", "upload", "file.txt", "--output", "json").stdout)
    assert blob["size"] == "10"
    phase = '{"name": "tidy", "task_type": "text.normalize"}'
    job = json.loads(run("batch", "create", "lines", phase, "--output", "json").stdout)["id"]
    items = '{"input": "a  b", "metadata": {"n": "1"}}\n"c"\n'
    assert (
        json.loads(run("batch", "items", "upload", job, "--output", "json", stdin=items).stdout)["job"]["totalItems"]
        == "2"
    )
    run("batch", "start", job)
    progress = [
        json.loads(line) for line in run("batch", "progress", "stream", job, "--output", "ndjson").stdout.splitlines()
    ]
    assert progress[-1]["status"] == "JOB_STATUS_COMPLETED"
    results = run("batch", "results", "list", job, "--output", "ndjson").stdout.splitlines()
    assert [json.loads(one)["output"] for one in results] == ["a b", "c"]
    assert len(run("batch", "list", "--limit", "1").stdout.splitlines()) == 2


def test_the_commands_by_hand_work_over_both_transports(run: Run, tmp_path: Path) -> None:
    assert "Invoice number 20261121" in run("ocr", str(SCAN), "--pages", "1").stdout
    run("ocr", str(SCAN), "--output", "pdf", "--out", "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")
    assert run("convert", "-", "--from", "md", "--to", "html", stdin="# Head").stdout.startswith("<h1")
    Image.new("RGB", (8, 4)).save(tmp_path / "a.png")
    run("image", "a.png", "--size", "4x", "-o", "b.png")
    with Image.open(tmp_path / "b.png") as made:
        assert made.size == (4, 2)
    (tmp_path / "c.txt").write_text("b  c")
    job = run("batch", "submit", "-", "--phase", "text.normalize", "--watch", stdin="a  b\nc\n").stdout.strip()
    assert [json.loads(one)["output"] for one in run("batch", "results", job).stdout.splitlines()] == ["a b", "c"]
    assert "the job was started" in run("batch", "logs", job).stdout
    assert run("batch", "submit", "c.txt", "a.png", "--phase", "ocr.extract", "--no-start").stdout.strip()


def test_files_go_through_a_pipeline(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letters.yaml").write_text(
        "name: letters\nsteps:\n- {type: ocr.extract, languages: [eng]}\n- {type: text.normalize, name: tidy}\n"
    )
    (result,) = json.loads(run("orchestration", "run", "letters.yaml", str(SCAN), "--output", "json").stdout)
    assert "Invoice number 20261121" in result["output"]
    assert result["phaseOutputs"].keys() == {"extract", "tidy"}
    (tmp_path / "text.yaml").write_text("steps: [text.normalize]")  # no document
    failed = run("orchestration", "run", "letters.yaml", "text.yaml", "--output", "ndjson", code=1)
    assert json.loads(failed.stdout)["status"] == "ITEM_STATUS_FAILED"
    job = json.loads(run("orchestration", "start", "text.yaml", "--input", "a  b", "--output", "json").stdout)
    assert run("batch", "wait", job["id"]).stdout.startswith(f"id: {job['id']}\n")
    ran = json.loads(
        run("batch", "run", "--inputs", "a  b", "--task-type", "text.normalize", "--output", "json").stdout
    )
    assert [one["output"] for one in ran["results"]] == ["a b"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: [", "is not YAML"),
        ("[]", "expected an object with a list of steps"),
        ("steps: []", "step"),
        ("steps: [{type: ocr.extract, colour: red}]", "step 1: unknown field colour"),
        ("steps: [{prompt: x}]", "step 1: expected a type"),
        ("steps: [text.template]", "step 1: "),
        ("steps: [text.normalize, ocr.extract]", ""),
    ],
)
def test_a_wrong_pipeline_is_refused_in_one_line(run: Run, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    done = run("orchestration", "run", "p.yaml", "--input", "x", code=2)
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_requests_of_a_stream_both_ways_come_from_standard_input(run: Run) -> None:
    requests = '{"content": "hello", "user": {"id": "kim"}}\n'
    events = run("channels", "messages", "chat", name(), "--output", "ndjson", stdin=requests).stdout.splitlines()
    assert "joined" in json.loads(events[0])


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["collections", "get", "no-such"], 1, "there is no collection"),
        (["collections", "get"], 2, "Missing argument 'COLLECTION'"),
        (["collections", "create", "a b"], 2, "collection_id"),
        (["collections", "documents", "create", "docs", "missing.pdf"], 2, "missing.pdf: No such file"),
        (["collections", "list", "--limit", "none"], 2, "--limit"),
        (["collections", "nonsense"], 2, "No such command"),
        (["batch", "create", "job", "no json"], 2, "'no json' is not JSON"),
        (["batch", "create", "job", '{"name": 1}'], 2, "name: "),
        (["channels", "messages", "send", "town"], 2, "line 1 of the requests is not JSON"),
        (["batch", "list", "--status", "odd"], 2, "odd"),
        (["chat", "stream", "@missing.json"], 2, "missing.json: No such file"),
        (["documents", "process", str(ROOT)], 2, "Is a directory"),
        (["models", "list", "--timeout", "0"], 2, "--timeout"),
        (["models", "list", "--out", "no/such/folder"], 2, "No such file"),
        (["models", "list", "--server", "127.0.0.1:1"], 3, "127.0.0.1:1 cannot be reached"),
        (["models", "list", "--server", "http://127.0.0.1:1"], 3, "http://127.0.0.1:1 cannot be reached"),
        (["models", "list", "--server", "ftp://127.0.0.1:1"], 2, "invalid server"),
        (["models", "list", "--server", "grpc://127.0.0.1:1", "--transport", "rest"], 2, "is an address for gRPC"),
    ],
)  # fmt: skip
def test_errors_are_one_line_and_an_exit_code(run: Run, arguments: Sequence[str], code: int, told: str) -> None:
    done = run(*arguments, code=code, stdin="no json\n")
    assert told in done.stderr
    assert done.stderr.startswith("artificer: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_reader_may_leave_early(run: Run, environment: dict[str, str]) -> None:
    reader = ["sh", "-c", '"$@" | head -n 1', "sh", *program("documents", "process", str(SCAN))]
    done = subprocess.run(reader, capture_output=True, text=True, env=environment, check=True, timeout=PATIENT)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_a_terminal_gets_a_table_and_no_bytes(environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(program("models", "list"), stdout=theirs, env=environment) as listing:
            assert listing.wait(PATIENT) == 0
        assert select.select([ours], [], [], PATIENT)[0]
        assert "id" in os.read(ours, 65536).decode()
        binary = program("documents", "make-searchable", str(SCAN))
        done = subprocess.run(binary, stdout=theirs, stderr=subprocess.PIPE, env=environment, text=True, check=False)
        assert (done.returncode, done.stderr) == (
            2,
            "artificer: the result is a binary file; write it to one by --out\n",
        )
    finally:
        os.close(ours)
        os.close(theirs)
