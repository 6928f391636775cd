"""Files go in as people have them, and texts, files and pages come out."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from artificer import Artificer, AsyncArtificer
from artificer._sync.downloads import Download
from artificer.errors import InvalidArgumentError
from artificer.types.ocr import OutputFormat

TEXT = "Invoice number 20261121"


def test_a_path_bytes_or_a_file(client: Artificer, scan: Path) -> None:
    with scan.open("rb") as file:
        for given in (str(scan), scan, scan.read_bytes(), file):
            assert TEXT in client.documents.process(given, pages="1").text


def test_pages_arrive_one_by_one(client: Artificer, scan: Path) -> None:
    with client.documents.process_stream(scan) as pages:
        assert [page.page_number for page in pages] == [1, 2, 3]


def test_a_rendered_document_is_text_or_a_file(client: Artificer, scan: Path, tmp_path: Path) -> None:
    rendered = client.documents.render(scan, output="markdown", pages="1")
    assert rendered.content_type.startswith("text/markdown")
    assert TEXT in rendered.text
    assert rendered.save(tmp_path / "scan.md") == len(rendered.data)
    assert (tmp_path / "scan.md").read_bytes() == rendered.data
    assert client.documents.render(scan, output=OutputFormat.TEXT, pages="1").content_type.startswith("text/plain")


def test_a_searchable_document_is_saved_whole(client: Artificer, scan: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    path = tmp_path / "searchable.pdf"
    size = client.documents.make_searchable(scan, pages="1", progress=lambda done, _: seen.append(done)).save(path)
    assert seen[-1] == size == path.stat().st_size
    assert client.documents.process(path, pages="1").text.startswith("Diptych")
    assert [one.name for one in tmp_path.iterdir()] == ["searchable.pdf"]


def test_a_refused_document_leaves_no_file(client: Artificer, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError) as failed:
        client.documents.make_searchable(b"no document").save(tmp_path / "searchable.pdf")
    assert failed.value.request_id
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_read_or_written(client: Artificer, scan: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"'.*/absent'"):
        client.documents.convert(b"# A", to="html", input_format="md").save(tmp_path / "absent" / "a.html")
    with scan.open() as text, pytest.raises(TypeError, match="mode 'rb'"):
        client.documents.process(text)  # type: ignore[arg-type]
    with pytest.raises(IsADirectoryError):
        client.documents.process(tmp_path)


def test_conversion(client: Artificer, tmp_path: Path) -> None:
    source = tmp_path / "report.md"
    source.write_text("# Report\n\nAll is *well*.")
    assert b"<em>well</em>" in client.documents.convert(source, to="html").read()
    client.documents.convert(source, to="docx").save(tmp_path / "report.docx")
    assert "Report" in client.documents.convert(tmp_path / "report.docx", to="md").read().decode()
    assert "md" in str(client.documents.conversion_formats.list())


def test_bytes_are_read_once(client: Artificer, tmp_path: Path) -> None:
    """A second conversion would send an iterable that is at its end."""
    ways: list[Callable[[Download], Any]] = [Download.read, lambda one: one.save(tmp_path / "a"), list]
    for again in ways:
        download = client.documents.convert(iter([b"# A"]), to="html", input_format="md")
        assert b"A</h1>" in download.read()
        with pytest.raises(RuntimeError, match="have been read"):
            again(download)
    with client.documents.convert(b"# A", to="html", input_format="md") as download:
        with download as same:
            assert b"A</h1>" in b"".join(same)
        with pytest.raises(RuntimeError, match="have been read"):
            list(download)
    assert list(tmp_path.iterdir()) == []


async def test_bytes_are_read_once_by_asyncio(async_client: AsyncArtificer) -> None:
    download = async_client.documents.convert(iter([b"# A"]), to="html", input_format="md")
    assert b"A</h1>" in await download.read()
    with pytest.raises(RuntimeError, match="have been read"):
        await download.read()
    with pytest.raises(RuntimeError, match="have been read"):
        await download.__aenter__()


def test_an_image(client: Artificer) -> None:
    made = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(made, "PNG")
    small = client.images.process(made.getvalue(), steps=[{"resize": {"width": 10}}], format="webp")
    assert small.content_type == "image/webp"
    assert Image.open(io.BytesIO(small.data)).size == (10, 5)


async def test_asynchronously(async_client: AsyncArtificer, scan: Path, tmp_path: Path) -> None:
    async with async_client.documents.process_stream(scan, pages="1-2") as pages:
        assert [page.page_number async for page in pages] == [1, 2]
    await async_client.documents.make_searchable(scan, pages="1").save(tmp_path / "searchable.pdf")
    found = await async_client.documents.check_ocr(tmp_path / "searchable.pdf")
    assert found.page_reports[0].invisible_text
    assert (await async_client.documents.convert(b"# A", to="html", input_format="md").read()).startswith(b"<h1")
