"""Documents that are made to take more than a conversion may have, and what is left behind (nothing)."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.api import httpbody_pb2

from artificer.convert.v1 import conversion_service_pb2 as pb
from artificer_services.convert.build import ConvertSettings
from artificer_services.convert.engine import Choices
from artificer_services.convert.errors import BadDocument, Busy, TaskTimeout, TooLarge, Unexpected, WorkError
from tests.waiting import PATIENCE, exited, until_here

from . import samples
from .conftest import Faces, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The reader needs minutes for it.
SLOW = b"<html>" + b"<b>" * 20_000 + b"x"


async def convert(faces: Faces, data: bytes, to: str = "md", input_format: str = "") -> str:
    converted = await faces.service.converter.convert_bytes(data, Choices(to=to, input_format=input_format))
    return converted.decode()


async def failed(faces: Faces, data: bytes, to: str = "md", input_format: str = "") -> WorkError:
    with pytest.raises(WorkError) as caught:
        await convert(faces, data, to, input_format)
    return caught.value


def lying(data: bytes) -> bytes:
    """An archive whose files state to unpack to ten bytes each."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = -1
        while (at := changed.find(signature, at + 1)) >= 0:
            changed[at + offset : at + offset + 4] = (10).to_bytes(4, "little")
    return bytes(changed)


@pytest.mark.parametrize("change", [bytes, lying])
async def test_a_zip_bomb_is_refused(faces: Faces, change: type[bytes]) -> None:
    error = await failed(faces, change(samples.docx(files={"word/media/x.png": bytes(40 << 20)})))
    assert isinstance(error, TooLarge)
    assert error.message == "the document unpacks to more than 33,554,432 bytes, the limit"


async def test_a_file_that_unpacks_to_hundreds_of_times_its_size_is_refused(faces: Faces) -> None:
    error = await failed(faces, samples.docx(files={"word/media/x.png": bytes(20 << 20)}))
    assert error.message == "a file in the document unpacks to more than 200 times its size"


async def test_an_archive_of_very_many_files_is_refused(faces: Faces) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(10_001):
            archive.writestr(f"word/{number}", b"")
    error = await failed(faces, out.getvalue())
    assert error.message == "the document has more than 10,000 files inside, the limit"


LAUGHS = "<!DOCTYPE w:document [<!ENTITY a 'lol'>{}]>".format(
    "".join(f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefghij", "bcdefghijk", strict=True))
)


@pytest.mark.parametrize("doctype", [LAUGHS, '<!DOCTYPE x [<!ENTITY k SYSTEM "file:///etc/passwd">]>'])
async def test_entities_of_xml_are_never_expanded(faces: Faces, doctype: str) -> None:
    error = await failed(faces, samples.docx(samples.paragraph("&k;"), doctype=doctype))
    assert isinstance(error, BadDocument)


@pytest.mark.parametrize(
    ("data", "input_format"),
    [
        (b"x\\input{/etc/passwd}y", "latex"),
        (b".. include:: /etc/passwd\n\nx y\n", "rst"),
        (b'#+INCLUDE: "/etc/passwd"\nx y\n', "org"),
        (b"<p>x y</p><img src='/etc/passwd'><iframe src='/etc/passwd'></iframe>", "html"),
    ],
)
async def test_files_of_the_server_are_never_read(faces: Faces, data: bytes, input_format: str) -> None:
    for to in ("plain", "html", "docx"):
        made = await faces.service.converter.convert_bytes(data, Choices(to=to, input_format=input_format))
        if to == "docx":
            with zipfile.ZipFile(io.BytesIO(made)) as archive:
                made = b"".join(map(archive.read, archive.namelist()))
        assert b"root:" not in made


async def test_pictures_elsewhere_are_never_fetched(faces: Faces) -> None:
    asked: list[str] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append("connected")
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x.png"
        linked = samples.docx(samples.paragraph("text"), picture=address)
        for to in ("md", "html", "epub"):
            for data in (linked, f"<p>text</p><img src='{address}'>".encode()):
                await faces.service.converter.convert_bytes(data, Choices(to=to))
    assert asked == []


@pytest.mark.parametrize(
    ("data", "input_format"),
    [
        (b"<html>" + b"<blockquote>" * 10_000 + b"x", "html"),
        (SLOW, "html"),
        (b"> " * 10_000 + b"x", "gfm"),
    ],
)
async def test_deep_nesting_takes_no_more_than_the_time_and_the_memory(
    data: bytes, input_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(ConvertSettings(workers=1, timeout=3, memory_bytes=256 << 20)) as faces:
        try:
            assert "x" in await convert(faces, data, "plain", input_format)
        except WorkError as error:
            assert isinstance(error, (TaskTimeout, TooLarge))  # noqa: PT017
        monkeypatch.setattr(faces.service.converter, "_settings", ConvertSettings(timeout=PATIENCE))
        assert await convert(faces, b"next") == "next\n"


async def test_a_conversion_that_takes_too_long_is_ended() -> None:
    async with serve(ConvertSettings(workers=1, timeout=1)) as faces:
        answer = await faces.http.post("/v1/documents:convert", params={"to": "md"}, content=SLOW)
        assert answer.status_code == 504
        assert answer.json()["error"]["message"] == "the conversion took longer than 1 seconds"
        assert not conversions()


async def test_a_conversion_that_needs_too_much_memory_is_ended() -> None:
    async with serve(ConvertSettings(workers=1, memory_bytes=32 << 20)) as faces:
        error = await failed(faces, b"a,b,c\n" + b"1,2,3\n" * 20_000, "html", "csv")
        assert error.message == "the conversion needs more memory than 33,554,432 bytes, the limit"


async def test_output_that_grows_too_large_is_refused() -> None:
    async with serve(ConvertSettings(workers=1, max_output_bytes=10_000)) as faces:
        error = await failed(faces, b"\n\n".join([b"`a`"] * 2_000), "html", "markdown")
        assert error.message == "the converted document has more than 10,000 bytes, the limit"


async def test_text_that_grows_too_large_in_utf_8_is_refused(faces: Faces) -> None:
    choices = Choices(to="md", input_format="md", content_type="text/plain; charset=windows-1251")
    with pytest.raises(TooLarge) as caught:
        await faces.service.converter.convert_bytes(("я" * 600_000).encode("cp1251"), choices)
    assert caught.value.message == "the document has more than 1,000,000 bytes in UTF-8, the limit"


async def test_a_pandoc_that_is_gone_is_no_fault_of_the_document(tmp_path: Path) -> None:
    program = tmp_path / "pandoc"
    program.write_text("#!/bin/sh\necho pandoc 3.9")
    program.chmod(0o755)
    async with serve(ConvertSettings(pandoc=str(program))) as faces:
        program.unlink()
        assert isinstance(await failed(faces, b"# x"), Unexpected)


def documents() -> list[Path]:
    return [fd for fd in Path("/proc/self/fd").iterdir() if "memfd:diptych" in os.path.realpath(fd)]


def conversions() -> list[str]:
    """The processes of conversions, among the children that the services of other tests have too."""
    pids = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in pids if _command(pid).startswith(b"pandoc\0") or b"convert.launcher" in _command(pid)]


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return b""


async def test_a_client_that_leaves_ends_its_conversion() -> None:
    async with serve(ConvertSettings(workers=1)) as faces:
        call = faces.stub.ConvertDocument(
            iter([pb.ConvertDocumentRequest(to="md", content=httpbody_pb2.HttpBody(data=SLOW))])
        )
        reading = asyncio.ensure_future(call.read())
        await until_here(lambda: bool(conversions()))
        gone = [os.pidfd_open(int(pid)) for pid in conversions()]
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await exited(*gone)
        assert await convert(faces, b"next") == "next\n"


async def test_a_client_that_leaves_within_its_upload_leaves_nothing() -> None:
    async with serve(ConvertSettings(workers=1, max_requests=1)) as faces:

        async def half() -> AsyncIterator[pb.ConvertDocumentRequest]:
            yield pb.ConvertDocumentRequest(to="md", content=httpbody_pb2.HttpBody(data=b"x"))
            await asyncio.Event().wait()

        call = faces.stub.ConvertDocument(half())
        reading = asyncio.ensure_future(call.read())
        await until_here(lambda: faces.service.converter.admitted == 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await faces.stub.ConvertDocument(iter([pb.ConvertDocumentRequest(to="md")])).read()
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert isinstance(await failed(faces, b"x"), Busy)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await until_here(lambda: faces.service.converter.admitted == 0)
        assert not documents()
        assert await convert(faces, b"next") == "next\n"
