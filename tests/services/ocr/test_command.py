"""The command `artificer ocr`, against a server and without one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pypdfium2  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from artificer.ocr.v1 import ocr_service_pb2_grpc as rpc
from artificer_services.ocr.build import OcrSettings, build

from . import samples

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINE = "The harbour master kept a careful record"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address() -> AsyncIterator[str]:
    service = build(OcrSettings(workers=1))
    server = grpc.aio.server()
    rpc.add_OCRServiceServicer_to_server(service.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    async with service.lifespan():
        await server.start()
        yield f"127.0.0.1:{port}"
        await server.stop(None)


async def artificer(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, bytes, str]:
    """The exit code of a command, and what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARTIFICER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "artificer.cli", "ocr", *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    out, err = await process.communicate(stdin)
    return process.returncode or 0, out, err.decode()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "scan.pdf").write_bytes(samples.scan_pdf(LINE, "Second page"))
    (tmp_path / "photo.png").write_bytes(samples.picture(LINE, form="PNG"))
    (tmp_path / "notes.txt").write_bytes(b"no document")
    return tmp_path


@pytest.fixture(params=["server", "local"])
def where(request: pytest.FixtureRequest, address: str) -> list[str]:
    return ["--local"] if request.param == "local" else ["--address", address]


async def test_text_of_the_chosen_pages(files: Path, where: list[str]) -> None:
    assert await artificer(files / "scan.pdf", *where) == (0, f"{LINE}\fSecond page\n".encode(), "")
    assert await artificer(files / "scan.pdf", "--pages", "2", *where) == (0, b"Second page\n", "")
    image = (files / "photo.png").read_bytes()
    assert await artificer("-", *where, stdin=image) == (0, f"{LINE}\n".encode(), "")


@pytest.mark.parametrize("output", ["md", "json", "hocr", "alto", "tsv"])
async def test_both_ways_give_the_same_file(files: Path, address: str, output: str) -> None:
    document = files / "scan.pdf"
    there = await artificer(document, "--output", output, "--address", address)
    here = await artificer(document, "--output", output, "--local")
    if output == "json":
        assert json.loads(there[1]) == json.loads(here[1])
    else:
        assert there == here
    assert (here[0], here[2]) == (0, "")
    assert b"harbour" in here[1]


async def test_a_folder_becomes_searchable(files: Path, where: list[str]) -> None:
    out = files / "out"
    assert await artificer(files, "--output", "pdf", "--out", out, *where) == (0, b"", "")
    assert sorted(path.name for path in out.iterdir()) == ["photo.pdf", "scan.pdf"]
    for path in out.iterdir():
        with pypdfium2.PdfDocument(path) as document:
            assert LINE in document[0].get_textpage().get_text_range()


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(files: Path, where: list[str]) -> None:
    out = files / "out"
    code, _, errors = await artificer(files / "notes.txt", files / "photo.png", "--out", out, *where)
    assert code == 1
    assert errors.count("\n") == 1
    assert "notes.txt: the file is of an unknown type" in errors
    assert (out / "photo.txt").read_text() == f"{LINE}\n"


async def test_errors_are_one_line(files: Path, where: list[str]) -> None:
    cases = {
        ("scan.pdf", "--pages", "3"): "there is no page 3: the document has 2 pages",
        ("scan.pdf", "--lang", "xyz"): "language 'xyz' is not installed",
        ("missing.pdf",): "missing.pdf: No such file",
        ("scan.pdf", "--out", "missing/out.txt"): "missing/out.txt: No such file",
        ("scan.pdf", "photo.png"): "several files need a folder",
        ("scan.pdf", "--output", "pdf", "--out", "."): "would be overwritten",
    }
    for (name, *options), expected in cases.items():
        arguments = [files / one if "." in one else one for one in (name, *options)]
        code, out, errors = await artificer(*arguments, *where)
        assert (code, out, errors.count("\n")) == (2, b"", 1), errors
        assert expected in errors


async def test_without_a_server_the_error_names_the_way_out(files: Path) -> None:
    code, _, errors = await artificer(files / "scan.pdf", "--address", "127.0.0.1:1")
    assert code == 3
    assert "--local needs no server" in errors
