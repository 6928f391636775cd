"""Documents of many kinds, for the comparison of the PDF engines: by PyMuPDF, by ReportLab, and by hand.

Each is a function that returns the bytes of a file; its name says what is in it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]  # no stubs
from reportlab.lib.styles import getSampleStyleSheet  # type: ignore[import-untyped]
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from reportlab.platypus import (  # type: ignore[import-untyped]
    BaseDocTemplate,
    Frame,
    PageTemplate,
    Paragraph,
    SimpleDocTemplate,
    Table,
)

from . import samples
from .samples import PARAGRAPH, objects_pdf, pymupdf, stream

Make = Callable[[], bytes]
CORPUS: dict[str, Make] = {}

_LINES = list(PARAGRAPH)
_HELVETICA = b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>>>"


def _kind(make: Make) -> Make:
    CORPUS[make.__name__] = make
    return make


def _page(content: bytes, *objects: bytes, page: bytes = b"", resources: bytes = b"") -> bytes:
    """A page with Helvetica as F; further objects are numbered from 5."""
    return objects_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<%s%s>>%s>>"
        % (_HELVETICA, resources, page),
        stream(content),
        *objects,
    )


def _shown(lines: list[str], *, x: int = 60, y: int = 760, size: int = 12, mode: int = 0) -> bytes:
    shown = b"".join(b"(%s) Tj T* " % line.encode("latin-1") for line in lines)
    return b"BT /F %d Tf %d Tr %d %d Td %d TL %sET " % (size, mode, x, y, size * 3 // 2, shown)


def _gray(width: int, height: int) -> bytes:
    picture = bytes((column * 7 + row * 13) % 256 for row in range(height) for column in range(width))
    return stream(
        picture,
        b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8" % (width, height),
    )


def _drawn(build: Callable[[Any], None]) -> bytes:
    """A document that ReportLab draws."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)
    build(canvas)
    canvas.save()
    return file.getvalue()


def _made(build: Callable[[Any], None]) -> bytes:
    """A page that PyMuPDF makes."""
    with pymupdf.open() as document:
        build(document.new_page(width=595, height=842))
        return bytes(document.tobytes())


@_kind
def text() -> bytes:
    return _page(_shown(_LINES))


@_kind
def text_turned_by_the_page() -> bytes:
    return _page(_shown(_LINES), page=b"/Rotate 90")


@_kind
def text_upside_down_by_the_page() -> bytes:
    return _page(_shown(_LINES), page=b"/Rotate 180")


@_kind
def text_turned_back_in_a_crop() -> bytes:
    return _page(_shown(_LINES), page=b"/Rotate 270/CropBox[30 300 500 800]")


@_kind
def text_turned_by_itself() -> bytes:
    return _page(b"q 0 1 -1 0 500 0 cm " + _shown(_LINES, y=100) + b"Q " + _shown(["A line that is upright"], y=60))


@_kind
def text_off_the_page() -> bytes:
    return _page(_shown(["Above the page"], y=1700) + _shown(_LINES) + _shown(["Left of the page"], x=-300))


@_kind
def text_of_many_sizes() -> bytes:
    return _page(b"".join(_shown([line], y=760 - 60 * row, size=5 + 2 * row) for row, line in enumerate(_LINES)))


@_kind
def text_letter_by_letter() -> bytes:
    with_gaps = b"BT /F 12 Tf "
    for row, line in enumerate(_LINES):
        x = 60.0
        for char in line:
            if char != " ":
                with_gaps += b"1 0 0 1 %.2f %d Tm (%s) Tj " % (x, 760 - 20 * row, char.encode())
            x += pymupdf.get_text_length(char, "helv", 12)
    return _page(with_gaps + b"ET")


@_kind
def text_in_two_columns_across() -> bytes:
    rows = (
        _shown([left], y=760 - 15 * row, size=9) + _shown([right], x=330, y=760 - 15 * row, size=9)
        for row, (left, right) in enumerate(zip(_LINES, reversed(_LINES), strict=True))
    )
    return _page(b"".join(rows))


@_kind
def text_drawn_twice() -> bytes:
    return _page(b"".join(b"q 1 0 0 1 %.1f 0 cm " % shift + _shown(_LINES) + b"Q " for shift in (0, 0.3)))


@_kind
def text_with_spaced_letters() -> bytes:
    return _page(b"6 Tc " + _shown(["DOUBLE WIDE"]) + b"0 Tc " + _shown(_LINES, y=700))


@_kind
def text_hyphenated() -> bytes:
    return _page(_shown(["The captain of the second ves-", "sel signed the led-", "ger of the harbour"]))


@_kind
def text_in_a_giant_unit() -> bytes:
    return _page(_shown(_LINES), page=b"/UserUnit 10")


@_kind
def text_in_a_form_in_a_form() -> bytes:
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Matrix[1 0 0 1 10 10]/Resources<<%s>>"
    return _page(
        b"q /X Do Q",
        stream(b"q 0.8 0 0 0.8 0 0 cm /Y Do Q", form % b"/XObject<</Y 6 0 R>>"),
        stream(_shown(_LINES), form % _HELVETICA),
        resources=b"/XObject<</X 5 0 R>>",
    )


@_kind
def text_unmapped() -> bytes:
    return samples.unmapped_pdf("\n".join(_LINES))


@_kind
def text_japanese_without_its_font() -> bytes:
    return _made(lambda page: page.insert_text((60, 100), "日本語の文書は横書きである", fontname="japan", fontsize=14))


@_kind
def text_in_a_hidden_layer() -> bytes:
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        layer = document.add_ocg("draft", on=False)
        page.insert_text((60, 100), "Everyone sees this line", fontsize=12)
        page.insert_text((60, 200), "Nobody sees this line", fontsize=12, oc=layer)
        return bytes(document.tobytes())


@_kind
def a_scan() -> bytes:
    return samples.scan_pdf("\n".join(_LINES), dpi=72)


@_kind
def a_scan_turned() -> bytes:
    return samples.scan_pdf("\n".join(_LINES), dpi=72, rotation=90)


@_kind
def a_scan_under_an_invisible_layer() -> bytes:
    with pymupdf.open() as document:
        samples.write(samples.add_scan(document, _LINES[0], dpi=72), "\n".join(_LINES), mode=3)
        return bytes(document.tobytes())


@_kind
def a_scan_in_strips_with_a_stamp() -> bytes:
    strips = b"".join(b"q 595 0 0 106 0 %d cm /I Do Q " % (106 * row) for row in range(8))
    return _page(strips + _shown(["Case 45-2"], y=820), _gray(60, 10), resources=b"/XObject<</I 5 0 R>>")


@_kind
def pictures_of_all_kinds() -> bytes:
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]/Resources<</XObject<</I 5 0 R>>>>"
    mask = b"/Type/XObject/Subtype/Image/Width 8/Height 8/ImageMask true/BitsPerComponent 1"
    content = (
        _shown(_LINES)
        + b"q 200 0 0 100 60 400 cm /I Do Q "
        + b"q 100 0 0 100 300 400 cm /M Do Q "
        + b"q 1 0 0 1 420 400 cm /X Do Q "
        + b"q 0 80 -80 0 140 280 cm BI /W 4 /H 4 /BPC 8 /CS /G ID "
        + bytes(range(32, 48))
        + b" EI Q "
        + b"q 300 280 50 50 re W n 200 0 0 200 250 200 cm /I Do Q"
    )
    return _page(
        content,
        _gray(40, 20),
        stream(bytes(8), mask),
        stream(b"q 100 0 0 60 0 0 cm /I Do Q", form),
        resources=b"/XObject<</I 5 0 R/M 6 0 R/X 7 0 R>>",
    )


@_kind
def drawings() -> bytes:
    boxes = b"".join(b"%d %d 8 10 re f " % (60 + 12 * (n % 40), 700 - 16 * (n // 40)) for n in range(400))
    return _page(boxes + b"60 100 m 300 140 l S " + _shown(["Printed from a portal"], y=60, size=8))


@_kind
def a_shading_and_a_pattern() -> bytes:
    shade = b"<</ShadingType 2/ColorSpace/DeviceGray/Coords[0 0 595 0]/Function 6 0 R/Extend[true true]>>"
    tile = b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 10 10]/XStep 10/YStep 10/Resources<<>>"
    return _page(
        b"/S sh " + _shown(_LINES) + b"/Pattern cs /T scn 100 100 200 200 re f",
        shade,
        b"<</FunctionType 2/Domain[0 1]/C0[0.8]/C1[1]/N 1>>",
        stream(b"0 0 5 5 re f", tile),
        resources=b"/Shading<</S 5 0 R>>/Pattern<</T 7 0 R>>",
    )


def _field(page: Any, name: str, value: str, top: int) -> None:
    widget = pymupdf.Widget()
    widget.field_name, widget.field_value = name, value
    widget.field_type, widget.rect = pymupdf.PDF_WIDGET_TYPE_TEXT, pymupdf.Rect(60, top, 300, top + 18)
    page.add_widget(widget)


@_kind
def a_form_filled_in() -> bytes:
    def build(page: Any) -> None:
        page.insert_text((60, 80), "Application to the harbour office", fontsize=12)
        _field(page, "name", "Ottilie Zimmermann", 100)
        _field(page, "town", "Wilhelmshaven", 130)

    return _made(build)


@_kind
def a_form_whose_fields_have_no_looks() -> bytes:
    field = (
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(town)/V(Wilhelmshaven)/Rect[60 600 300 620]/F 4/P 3 0 R"
        b"/DA(/F 12 Tf 0 g)/DR<<%s>>>>" % _HELVETICA
    )
    data = _page(_shown(["Application to the harbour office"]), field, page=b"/Annots[5 0 R]")
    form = b"/AcroForm<</Fields[5 0 R]/DA(/F 12 Tf 0 g)/DR<<%s>>/NeedAppearances true>>" % _HELVETICA
    with pymupdf.open(stream=data, filetype="pdf") as document:  # corrects the offsets
        document.xref_set_key(document.pdf_catalog(), "AcroForm", form.decode().removeprefix("/AcroForm"))
        return bytes(document.tobytes())


@_kind
def a_scan_with_a_field() -> bytes:
    with pymupdf.open() as document:
        _field(samples.add_scan(document, _LINES[0], dpi=72), "name", "Ottilie Zimmermann", 400)
        return bytes(document.tobytes())


@_kind
def notes_of_many_kinds() -> bytes:
    def build(page: Any) -> None:
        page.insert_text((60, 80), _LINES[0], fontsize=12)
        page.add_freetext_annot(pymupdf.Rect(60, 200, 400, 240), "REJECTED by the harbour master", fontsize=14)
        page.add_highlight_annot(pymupdf.Rect(60, 70, 200, 84))
        page.add_rect_annot(pymupdf.Rect(60, 300, 200, 340))
        page.add_text_annot((500, 100), "The words of a closed note are not on the page")
        hidden = page.add_freetext_annot(pymupdf.Rect(60, 400, 400, 440), "HIDDEN", fontsize=14)
        hidden.set_flags(pymupdf.PDF_ANNOT_IS_HIDDEN)
        hidden.update()
        page.insert_link({"kind": pymupdf.LINK_URI, "from": pymupdf.Rect(60, 70, 99, 84), "uri": "https://example.org"})

    return _made(build)


@_kind
def reportlab_paragraphs_in_columns() -> bytes:
    file, style = io.BytesIO(), getSampleStyleSheet()
    frames = [Frame(50, 50, 240, 740), Frame(300, 50, 240, 740)]
    document = BaseDocTemplate(file, pagesize=A4, invariant=1)
    document.addPageTemplates([PageTemplate(frames=frames)])
    story = [Paragraph("The harbour", style["Heading1"])]
    story += [
        Paragraph(f"<b>{number}.</b> {line} <i>{line}</i> " * 3, style["BodyText"])
        for number, line in enumerate(_LINES * 4)
    ]
    document.build(story)
    return file.getvalue()


@_kind
def reportlab_table() -> bytes:
    file = io.BytesIO()
    rows = [["Vessel", "Cargo", "Fee"], *[[f"Vessel {n}", "timber" if n % 2 else "wool", f"{n}.50"] for n in range(9)]]
    grid = [("GRID", (0, 0), (-1, -1), 0.5, "black"), ("BACKGROUND", (0, 0), (-1, 0), "lightgrey")]
    SimpleDocTemplate(file, pagesize=A4, invariant=1).build([Table(rows, style=grid)])
    return file.getvalue()


@_kind
def reportlab_fonts() -> bytes:
    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))

    def build(canvas: Any) -> None:
        for row, font in enumerate(("Helvetica", "Times-BoldItalic", "Courier", "Vera")):
            canvas.setFont(font, 12)
            canvas.drawString(60, 760 - 30 * row, f"{_LINES[row]} Käse für 5 €, ÀÉÎÕÜ")
        canvas.rotate(30)
        canvas.setFont("Vera", 20)
        canvas.drawString(300, 300, "DRAFT")

    return _drawn(build)


@_kind
def reportlab_pictures() -> bytes:
    picture = ImageReader(Image.linear_gradient("L").convert("RGB"))

    def build(canvas: Any) -> None:
        canvas.drawImage(picture, 60, 500, 200, 200, mask=[0, 10, 0, 10, 0, 10])
        canvas.drawInlineImage(Image.linear_gradient("L").resize((32, 32)), 300, 500, 100, 100)
        canvas.drawString(60, 460, "Two pictures of a gradient")

    return _drawn(build)


@_kind
def reportlab_form() -> bytes:
    def build(canvas: Any) -> None:
        canvas.drawString(60, 760, "Registration of a vessel")
        canvas.acroForm.textfield(name="vessel", value="Morning Packet", x=60, y=700, width=200, height=20)
        canvas.acroForm.checkbox(name="paid", checked=True, x=60, y=660)
        canvas.acroForm.choice(
            name="cargo", value="wool", options=["timber", "wool"], x=60, y=620, width=100, height=20
        )

    return _drawn(build)


@_kind
def reportlab_text_as_clip() -> bytes:
    def build(canvas: Any) -> None:
        shown = canvas.beginText(60, 700)
        shown.setFont("Helvetica-Bold", 40)
        shown.setTextRenderMode(7)
        shown.textLine("HARBOUR")
        canvas.drawText(shown)
        canvas.rect(0, 0, 595, 842, fill=1)

    return _drawn(build)
