"""What clients convert, over both faces: formats, pictures, statements about the document, and errors."""

from __future__ import annotations

import codecs
import io
import json
import zipfile

import pytest
from google.api import httpbody_pb2

from artificer.convert.v1 import conversion_service_pb2 as pb
from artificer_services.convert import engine
from artificer_services.convert.settings import ConvertSettings

from . import samples
from .conftest import Faces, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPORT = samples.REPORT
URL = "/v1/documents:convert"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MARKDOWN = "# Annual report\n\nSales rose in spring.\n"


def chunks(data: bytes, size: int, **options: object) -> list[pb.ConvertDocumentRequest]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    requests = [pb.ConvertDocumentRequest(content=httpbody_pb2.HttpBody(data=piece)) for piece in pieces]
    requests[0].MergeFrom(pb.ConvertDocumentRequest(**options))  # type: ignore[arg-type]  # by name
    return requests


async def by_grpc(faces: Faces, data: bytes, **options: object) -> tuple[bytes, str]:
    call = faces.stub.ConvertDocument(iter(chunks(data, 1000, **options)))
    pieces = [piece async for piece in call]
    return b"".join(piece.data for piece in pieces), pieces[0].content_type


async def by_rest(faces: Faces, data: bytes, *, kind: str = "", **options: str) -> bytes:
    headers = {"content-type": kind} if kind else {}
    answer = await faces.http.post(URL, content=data, params=options, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content


async def refused(faces: Faces, data: bytes, *, kind: str = "", **options: str) -> tuple[str, str]:
    """The message of a 400, and the field that it names."""
    headers = {"content-type": kind} if kind else {}
    answer = await faces.http.post(URL, content=data, params=options, headers=headers)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    return error["message"], error["details"][0]["fieldViolations"][0]["field"]


async def test_a_word_document_becomes_markdown_over_both_faces(faces: Faces) -> None:
    assert (await by_rest(faces, samples.REPORT, kind=WORD, to="md")).decode() == MARKDOWN
    assert await by_grpc(faces, samples.REPORT, to="md") == (MARKDOWN.encode(), "text/markdown; charset=utf-8")


@pytest.mark.parametrize("to", ["docx", "odt", "epub", "html", "rst", "ipynb", "rtf"])
async def test_markdown_survives_the_way_there_and_back(faces: Faces, to: str) -> None:
    there = await by_rest(faces, MARKDOWN.encode(), kind="text/markdown", to=to, standalone="true")
    back = await by_rest(faces, there, to="plain") if to != "rst" else there
    assert b"Annual report" in back
    assert b"Sales rose in spring." in back


async def test_tables_become_rows_and_columns(faces: Faces) -> None:
    table = await by_rest(faces, b"name,price\nbread,2\n", kind="text/csv", to="md")
    assert [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.decode().split("\n") if row][::2] == [
        ["name", "price"],
        ["bread", "2"],
    ]


async def test_the_answer_is_a_file_that_browsers_save_and_never_run(faces: Faces) -> None:
    page = b"<p>x</p><script>alert(1)</script>"
    answer = await faces.http.post(URL, content=page, params={"to": "html", "filename": "my \u00fcber page.html"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["content-disposition"] == 'attachment; filename="my _ber page.html"'


async def test_accept_chooses_the_format(faces: Faces) -> None:
    answer = await faces.http.post(URL, content=samples.REPORT, headers={"accept": "text/html"})
    assert '<h1 id="annual-report">Annual report</h1>' in answer.text


async def test_a_standalone_page_has_a_head_with_the_name_of_the_file(faces: Faces) -> None:
    page = await by_rest(faces, samples.REPORT, to="html", standalone="true", filename="report.docx")
    assert b"<title>report</title>" in page


async def test_pictures_inside_are_embedded_or_described(faces: Faces) -> None:
    document = samples.docx(picture="embed")
    assert (await by_rest(faces, document, to="md")).strip() == b"a pixel"
    assert b"data:image/png;base64,iVBORw0KGgo" in await by_rest(faces, document, to="html")
    embedded = await by_rest(faces, document, to="md", media="MEDIA_HANDLING_EMBED")
    assert b"data:image/png;base64," in embedded
    assert b"data:" not in await by_rest(faces, document, to="html", media="MEDIA_HANDLING_OMIT")
    book = zipfile.ZipFile(io.BytesIO(await by_rest(faces, document, to="epub")))
    assert samples.PIXEL in [book.read(name) for name in book.namelist() if name.endswith(".png")]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_embedded_pictures_are_sound_base64(faces: Faces, size: int) -> None:
    import base64

    data = bytes(range(256))[-size:]
    document = samples.docx(picture="embed", files={"word/media/x.png": data})
    page = (await by_rest(faces, document, to="html")).decode()
    assert base64.b64decode(page.partition(";base64,")[2].partition('"')[0], validate=True) == data


@pytest.mark.parametrize("to", ["docx", "odt", "epub", "pptx", "ipynb", "rtf"])
async def test_pictures_that_are_only_linked_do_not_stop_a_conversion(faces: Faces, to: str) -> None:
    text = b"# Ships\n\n![The harbour](harbour.png)\n\n![A ship](http://127.0.0.1:1/x.png) sails.\n"
    back = await by_rest(faces, await by_rest(faces, text, kind="text/markdown", to=to), to="plain")
    assert b"The harbour" in back or to == "rtf"  # which has a remark with the link
    assert b"sails." in back


@pytest.mark.parametrize("charset", ["utf-16le", "utf-16be", "utf-16"])
async def test_utf_16_is_read_without_a_mark_if_it_is_stated(faces: Faces, charset: str) -> None:
    text = "<html><body><h1>Größe</h1></body></html>".encode("utf-16be" if charset == "utf-16be" else "utf-16le")
    assert await by_rest(faces, text, kind=f"text/html; charset={charset}", to="md") == "# Größe\n".encode()
    assert await by_rest(faces, codecs.BOM_UTF16_LE + "<html><h1>Größe</h1>".encode("utf-16le"), to="md") == (
        "# Größe\n".encode()
    )


async def test_a_stated_charset_is_read(faces: Faces) -> None:
    page = "<p>Größe</p>".encode("utf-16")
    assert (await by_rest(faces, page, kind="text/html", to="plain")).decode() == "Größe\n"
    text = "caf\xe9 \u20ac".encode("cp1252")
    assert (await by_rest(faces, text, kind="text/markdown; charset=windows-1252", to="plain")).decode() == "café €\n"
    message, field = await refused(faces, text, kind="text/markdown; charset=punycode", to="plain")
    assert (message, field) == (
        "unknown charset 'punycode'; expected one such as utf-8 or windows-1252",
        "content.content_type",
    )


@pytest.mark.parametrize(
    ("data", "options", "message", "field"),
    [
        (
            samples.REPORT,
            {"to": "md", "inputFormat": "odt"},
            "input_format is odt, but the file is docx",
            "input_format",
        ),
        (b"# x", {"to": "md", "inputFormat": "docx"}, "input_format is docx, but the file is text", "input_format"),
        (
            samples.REPORT,
            {"to": "md", "filename": "a.epub"},
            "the file is named 'a.epub', but the file is docx",
            "filename",
        ),
        (b"x", {"to": "md", "kind": WORD}, f"the content type is {WORD}, but the file is text", "content.content_type"),
        (
            b"x",
            {"to": "md", "kind": "text/csv", "filename": "a.rst"},
            "the content type is text/csv, but the file is named 'a.rst'",
            "filename",
        ),
        (
            b"%PDF-1.7\n",
            {"to": "md"},
            "the file is a PDF document; POST /v1/documents:render",
            "content.data",
        ),
        (samples.PIXEL, {"to": "md"}, "the file is a picture; POST /v1/images:process converts those", "content.data"),
        (b"\xd0\xcf\x11\xe0\xa1", {"to": "md"}, "the file is a document of an old Office version", "content.data"),
        (b"\0\1\2", {"to": "md"}, "the file is binary and of an unknown type", "content.data"),
        (b" \n", {"to": "md"}, "the document is empty", "content.data"),
        (b"", {"to": "md"}, "the document is empty", "content.data"),
        (
            b"x",
            {"to": "md", "kind": "multipart/form-data; boundary=x"},
            "forms are not read; send the document itself as the body",
            "content.content_type",
        ),
        (b"x", {}, "expected the format to convert to: one of docx, odt", "to"),
        (b"x", {"to": "pdf"}, "unknown output format 'pdf'; expected one of docx", "to"),
        (b"x", {"to": "md", "media": "9"}, "there is no handling of media 9", "media"),
        (b"x", {"to": "md;x"}, "unknown output format 'md;x'", "to"),
        (b"x", {"to": "md+nonsense"}, "the extension nonsense is not supported for gfm", "to"),
        (b"x", {"to": "md", "inputFormat": "plain"}, "unknown input format 'plain'", "input_format"),
        (b"x", {"to": "md", "kind": "video/mp4"}, "the content type 'video/mp4' is no format", "content.content_type"),
        (b"{\\rtf1 {", {"to": "md"}, "the document cannot be converted: ", "content.data"),
        (b"PK\x03\x04xxxx", {"to": "md"}, "the document is damaged: it is no complete zip archive", "content.data"),
    ],
)
async def test_what_cannot_be_converted_is_refused_with_the_reason(
    faces: Faces, data: bytes, options: dict[str, str], message: str, field: str
) -> None:
    told, named = await refused(faces, data, **options)
    assert told.startswith(message)
    assert named == field


async def test_the_message_of_pandoc_has_no_path_of_the_server(faces: Faces) -> None:
    message, _ = await refused(faces, b".. csv-table:: x\n   :file: /etc/secret/names\n", to="md", inputFormat="rst")
    assert message == "the document cannot be converted: File … not found in resource path"


async def test_a_document_beyond_the_limit_is_refused(faces: Faces) -> None:
    message, field = await refused(faces, b"x" * 2_000_001, to="md")
    assert (message, field) == ("the document has more than 2,000,000 bytes, the limit", "content.data")


async def test_the_formats_are_those_that_pandoc_has(faces: Faces) -> None:
    listed = await faces.stub.ListConversionFormats(pb.ListConversionFormatsRequest())
    assert listed.engine.startswith("pandoc 3.")
    inputs, outputs = ({one.name: one for one in side} for side in (listed.input_formats, listed.output_formats))
    assert {"docx", "odt", "html", "epub", "markdown", "rst", "csv"} <= inputs.keys()
    assert {"gfm", "html", "plain", "docx", "epub", "odt", "rst"} <= outputs.keys()
    assert list(outputs["gfm"].aliases) == ["md"]
    assert list(inputs["markdown"].aliases) == ["md"]
    for name in outputs:
        assert await by_rest(faces, b"# x", to=name), name
    rest = (await faces.http.get("/v1/conversionFormats")).json()
    assert [one["name"] for one in rest["inputFormats"]] == list(inputs)


async def test_a_notebook_comes_back_as_one(faces: Faces) -> None:
    made = json.loads(await by_rest(faces, b"# Title\n\ntext\n", to="ipynb"))
    assert [cell["cell_type"] for cell in made["cells"]] == ["markdown"]


async def test_a_server_without_pandoc_says_so_and_does_not_blame_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "program_of", lambda path: "")
    async with serve(ConvertSettings()) as faces:
        answer = await faces.http.post(URL, content=REPORT, params={"to": "md"})
    assert answer.status_code == 501
    assert answer.json()["error"]["message"] == "the server has no Pandoc; install artificer-services[convert] there"
