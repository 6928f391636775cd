"""What the client refuses before anything is sent: over both transports, and with the same exceptions."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artificer import Artificer
from artificer.errors import APIConnectionError, InvalidRequestError, UnknownError
from tests.sdk.transports.driver import Driver, driver
from tests.sdk.transports.rude_server import json, rude_server

GET = "artificer.batch.v1.BatchService/GetJob"
every_way = pytest.mark.parametrize(
    ("transport", "mode"), [("rest", "sync"), ("rest", "async"), ("grpc", "sync"), ("grpc", "async")]
)
each_transport = pytest.mark.parametrize("transport", ["rest", "grpc"])


@pytest.fixture
def nowhere() -> Iterator[dict[str, Any]]:
    """Addresses that refuse connections, so that whatever is sent fails with APIConnectionError."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{bound.getsockname()[1]}"
        yield {"base_url": f"http://{place}", "target": place, "max_retries": 0}


OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"timeout": math.nan}, ValueError, "timeout"),
    ({"timeout": "5"}, TypeError, "timeout"),
    ({"timeout": True}, TypeError, "timeout"),
    ({"max_retries": -1}, ValueError, "max_retries"),
    ({"max_retries": "2"}, TypeError, "max_retries"),
    ({"headers": "a: b"}, TypeError, "headers are a mapping"),
    ({"headers": 5}, TypeError, "headers are a mapping"),
    ({"headers": {"a": 1}}, TypeError, "'a'"),
    ({"headers": {"a": None}}, TypeError, "'a'"),
    ({"headers": {1: "a"}}, TypeError, "name"),
    ({"headers": {"a": "x\r\nb: y"}}, ValueError, "printable"),
    ({"headers": {"a": "ä"}}, ValueError, "printable"),
    ({"headers": {"a b": "x"}}, ValueError, "'a b'"),
    ({"headers": {"": "x"}}, ValueError, "name of a header"),
    ({"headers": {":path": "/"}}, ValueError, "':path'"),
    ({"headers": {"Content-Length": "5"}}, ValueError, "'Content-Length'"),
    ({"headers": {"grpc-timeout": "1n"}}, ValueError, "'grpc-timeout'"),
]
CLIENT_OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"max_connections": 0}, ValueError, "max_connections"),
    ({"key": "me.key"}, ValueError, "cert"),
    ({"api_key": b"key"}, TypeError, "api_key"),
    ({"on_call": 5}, TypeError, "on_call"),
    ({"proxy": "nonsense"}, ValueError, "proxy must be"),
    ({"proxy": "http://localhost:99999"}, ValueError, "proxy must be"),
    ({"proxy": "http://[::1"}, ValueError, "proxy must be"),
    ({"proxy": "socks5://me:pw@localhost:1"}, ValueError, "^(?!.*pw).*proxy must be"),
    ({"base_url": "https://localhost", "target": "https://localhost", "ca": "/absent.pem"}, OSError, "absent"),
    ({"base_url": "https://localhost", "target": "https://localhost", "cert": __file__}, ValueError, "not a PEM pair"),
    ({"base_url": "http://localhost", "target": "http://localhost", "ca": __file__}, ValueError, "excludes TLS"),
]
for port in ("99999", "0", "-1", "x"):
    CLIENT_OPTIONS.append(({"base_url": f"http://localhost:{port}", "target": f"localhost:{port}"}, ValueError, port))
for more in ("?a=b", "#a", " ", "\0", "\\"):
    address = {"base_url": f"http://localhost:1{more}", "target": f"localhost:1{more}"}
    CLIENT_OPTIONS.append((address, ValueError, "localhost"))


@each_transport
@pytest.mark.parametrize(("given", "kind", "text"), OPTIONS + CLIENT_OPTIONS)
def test_options_of_a_client(
    nowhere: dict[str, Any], transport: str, given: dict[str, Any], kind: type[Exception], text: str
) -> None:
    """They are refused when the client is made."""
    with pytest.raises(kind, match=text):
        Artificer(**{**nowhere, **given}, transport=transport)  # type: ignore[arg-type]


@every_way
@pytest.mark.parametrize(("given", "kind", "text"), [*OPTIONS, ({"max_retry": 1}, TypeError, "max_retry")])
def test_options_of_a_call(
    nowhere: dict[str, Any], transport: str, mode: str, given: dict[str, Any], kind: type[Exception], text: str
) -> None:
    """So are those of calls, and arguments that no method has."""
    with driver(mode, transport=transport, **nowhere) as client:
        for use in (lambda one: one.batch.get("j", **given), lambda one: one.call(GET, {"job_id": "j"}, **given)):
            with pytest.raises(kind, match=text):
                client.do(use)
        for stream in (
            lambda one: one.channels.messages.stream("lobby", **given),
            lambda one: one.channels.messages.chat("lobby", [], **given),
        ):
            with pytest.raises(kind, match=text):
                client.collect(stream)


@each_transport
@pytest.mark.parametrize("timeout", [math.inf, 1e300, 10**400, 1e9 + 1])
def test_a_timeout_without_end(nowhere: dict[str, Any], transport: str, timeout: float) -> None:
    """More seconds than clocks and transports can count are no limit."""
    with Artificer(**nowhere, transport=transport, timeout=timeout) as client:  # type: ignore[arg-type]
        with pytest.raises(APIConnectionError):
            client.batch.get("j")
        with pytest.raises(APIConnectionError):
            client.channels.messages.send("lobby", [{"content": "a"}], timeout=timeout)


def test_the_scheme_of_an_address_may_be_in_capitals() -> None:
    """As in every URL."""
    with rude_server(json(200, b"{}")) as server, Artificer(base_url=server.url.replace("http", "HTTP")) as client:
        client.batch.get("j")
        with pytest.raises(UnknownError, match="WebSocket; is base_url a gateway's"):
            list(client.channels.messages.chat("lobby", [{"content": "a"}], max_retries=0))


@every_way
def test_a_closed_client(nowhere: dict[str, Any], transport: str, mode: str) -> None:
    """It says so, whatever is called."""
    with driver(mode, transport=transport, **nowhere) as client:
        client.do(lambda one: one.close() if mode == "sync" else one.aclose())
        for use in (
            lambda one: one.batch.get("j"),
            lambda one: one.batch.blobs.upload(b"a"),
            lambda one: one.channels.messages.send("lobby", [{"content": "a"}]),
        ):
            with pytest.raises(RuntimeError, match="the client is closed"):
                client.do(use)
        for stream in (
            lambda one: one.channels.messages.stream("lobby"),
            lambda one: one.channels.messages.chat("lobby", [{"content": "a"}]),
        ):
            with pytest.raises(RuntimeError, match="the client is closed"):
                client.collect(stream)


FILES: list[tuple[Any, type[Exception], str]] = [
    (["abcd"], TypeError, "not of str"),
    ([b"a", None], TypeError, "not of NoneType"),
    ([1, 2], TypeError, "not of int"),
    ({"a": 1}, TypeError, "not of str"),
    ("", FileNotFoundError, "''"),
]


@every_way
@pytest.mark.parametrize(("given", "kind", "text"), FILES)
def test_files(
    nowhere: dict[str, Any], transport: str, mode: str, given: Any, kind: type[Exception], text: str
) -> None:
    """Text is no piece of a file: it was read as base64."""
    with driver(mode, transport=transport, **nowhere) as client, pytest.raises(kind, match=text):
        client.do(lambda one: one.images.extract_text(given))


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize(("given", "kind", "text"), FILES)
def test_uploaded_files(mode: str, given: Any, kind: type[Exception], text: str) -> None:
    """The same for those that are sent in pieces."""
    with (
        rude_server(json(200, b"{}")) as server,
        driver(mode, base_url=server.url) as client,
        pytest.raises(kind, match=text),
    ):
        client.do(lambda one: one.batch.blobs.upload(given))


def test_a_file_whose_name_is_not_unicode(tmp_path: Path) -> None:
    """It is sent with a name in which the strange bytes are replaced."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.pdf"
    with open(path, "wb") as file:
        file.write(b"%PDF-1.7")
    with rude_server(json(200, b"{}")) as server, Artificer(base_url=server.url) as client:
        client.collections.documents.create("letters", os.fsdecode(path))
        with open(path, "rb") as opened:
            client.collections.documents.create("letters", opened)
        assert ["caf%EF%BF%BD.pdf" in one.path for one in server.requests] == [True, True]


@every_way
def test_requests(nowhere: dict[str, Any], transport: str, mode: str) -> None:
    """A value that a field cannot have is refused, whichever transport finds it."""
    with driver(mode, transport=transport, **nowhere) as client:
        with pytest.raises(InvalidRequestError):
            client.do(lambda one: one.batch.get("\udcff"))
        with pytest.raises(TypeError, match="requests are an iterable, not int"):
            client.collect(lambda one: one.channels.messages.chat("lobby", 5))
        with pytest.raises(TypeError, match="streams"):
            client.do(lambda one: one.call("artificer.chat.v1.MessageService/StreamMessages", {"channel": "lobby"}))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_stream_is_used_once(mode: str) -> None:
    """A stream that was entered again opened a call that nobody read."""
    lines = json(200, b'{"id": "1"}\n')
    with rude_server(lines) as server, driver(mode, base_url=server.url) as client:
        stream = client.do(lambda one: one.channels.messages.stream("lobby", max_retries=0))
        assert [message.id for message in client.each(lambda _: stream)] == ["1"]
        with pytest.raises(RuntimeError, match="call the method again"):
            client.collect(lambda _: stream)
        assert len(server.requests) == 1


def test_a_stream_may_be_entered_after_its_first_message() -> None:
    """Entering it goes on with the call that has begun."""
    with rude_server(json(200, b'{"id": "1"}\n{"id": "2"}\n')) as server, Artificer(base_url=server.url) as client:
        stream = client.channels.messages.stream("lobby", max_retries=0)
        assert next(stream).id == "1"
        with stream:
            assert [message.id for message in stream] == ["2"]
        assert len(server.requests) == 1


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_hook_that_fails(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """What watches calls does not end them; the log has its exception."""

    def fail(_: Any) -> None:
        raise LookupError("broken hook")

    with rude_server(json(200, b'{"id": "1"}\n')) as server, driver(mode, base_url=server.url, on_call=fail) as client:
        assert client.do(lambda one: one.batch.get("j")).id == "1"
        assert len(client.collect(lambda one: one.channels.messages.stream("lobby"))) == 1
    assert "broken hook" in caplog.text


def _saved(client: Driver, path: Any) -> None:
    client.do(lambda one: one.documents.make_searchable(b"%PDF-1.7").save(path))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_files_that_are_written(mode: str, tmp_path: Path) -> None:
    """Nothing is left of a file that could not be put in its place, and a pipe is not replaced."""
    linked, target = tmp_path / "link", tmp_path / "target"
    linked.symlink_to(target)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with rude_server(json(200, b"content")) as server, driver(mode, base_url=server.url) as client:
        with pytest.raises(OSError, match="directory"):
            _saved(client, tmp_path)
        assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "pipe"]
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with contextlib.closing(os.fdopen(reading, "rb")) as read:
            _saved(client, pipe)
            assert read.read() == b"content"
        _saved(client, linked)
    assert pipe.is_fifo()
    assert linked.is_symlink()
    assert target.read_bytes() == b"content"
    mask = os.umask(0o077)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_private_file_stays_private(mode: str, tmp_path: Path) -> None:
    """A file that is replaced keeps its mode."""
    private = tmp_path / "private"
    private.touch(0o600)
    with rude_server(json(200, b"content")) as server, driver(mode, base_url=server.url) as client:
        _saved(client, private)
    assert private.read_bytes() == b"content"
    assert private.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_folder_that_vanishes(mode: str, tmp_path: Path) -> None:
    """The error names the file that the caller gave."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def progress(done: int, total: int | None) -> None:
        shutil.rmtree(folder)

    with (
        rude_server(json(200, b"content")) as server,
        driver(mode, base_url=server.url) as client,
        pytest.raises(FileNotFoundError) as raised,
    ):
        client.do(lambda one: one.documents.make_searchable(b"%PDF", progress=progress).save(folder / "file"))
    assert raised.value.filename == str(folder / "file")
    assert raised.value.__context__ is None


def _run(client: Driver, arguments: dict[str, Any]) -> None:
    client.do(lambda one: one.batch.run(**arguments))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_wrong_arguments_of_a_run(mode: str) -> None:
    """They are named, before anything is sent."""
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"inputs": ["x"], "phases": "text.normalize"}, "phases are a list"),
        ({"inputs": ["x"], "phases": {"task_type": "text.normalize"}}, "phases are a list"),
        ({"inputs": ["x"], "phases": ["text.normalize"]}, "a phase is a Phase"),
        ({"files": [b"x"], "task_type": "text.normalize", "uploads": "2"}, "uploads is a whole number"),
    ]
    with driver(mode, base_url="http://127.0.0.1:1") as client:
        for arguments, text in wrong:
            with pytest.raises(TypeError, match=text):
                _run(client, arguments)
