"""Small documents made from known text, for the OCR tests.

Made with PyMuPDF and Pillow; knows nothing of the service.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

import pymupdf as untyped_pymupdf
from PIL import Image, ImageDraw, ImageFont

pymupdf: Any = untyped_pymupdf  # it is annotated in places only

A4 = (595, 842)

PARAGRAPH = (
    "The harbour master kept a careful record of every vessel.",
    "Ships from the northern islands carried timber and wool.",
    "In winter the lamps were lit before four in the afternoon.",
    "Each captain signed the ledger and paid a modest fee.",
    "The bell was rung twice when fog covered the entrance.",
    "Letters for the mainland left with the morning packet.",
    "Nobody could remember a quieter season than this one.",
    "Children counted the masts from the wall of the old fort.",
)


def page_text(number: int) -> str:
    """The text of a page, different for each number."""
    turned = PARAGRAPH[number % len(PARAGRAPH) :] + PARAGRAPH[: number % len(PARAGRAPH)]
    return "\n".join((f"Page number {number} of the ledger", *turned))


def words(text: str) -> list[str]:
    return text.split()


def write(page: Any, text: str, *, size: float = 14, mode: int = 0) -> None:
    for row, line in enumerate(text.splitlines()):
        page.insert_text((60, 80 + row * size * 1.6), line, fontsize=size, render_mode=mode)


def text_pdf(*texts: str) -> bytes:
    """A born-digital document, a page for each text."""
    with pymupdf.open() as document:
        for text in texts:
            write(document.new_page(width=A4[0], height=A4[1]), text)
        return bytes(document.tobytes())


def picture(text: str, *, dpi: int = 150, form: str = "JPEG", mode: str = "L") -> bytes:
    """A page of text as the bytes of an image file that says its resolution."""
    with pymupdf.open(stream=text_pdf(text), filetype="pdf") as document:
        drawn = document[0].get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY, alpha=False)
        image = Image.frombytes("L", (drawn.width, drawn.height), drawn.samples).convert(mode)
    return save(image, form, dpi)


def save(image: Image.Image, form: str, dpi: int = 150, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, dpi=(dpi, dpi), **options)
    return file.getvalue()


def add_scan(document: Any, text: str, *, dpi: int = 150, form: str = "JPEG", rotation: int = 0) -> Any:
    """Add a page that is nothing but a picture of a text; shown upright, however it is stored."""
    image = Image.open(io.BytesIO(picture(text, dpi=dpi, form="PNG")))
    size = A4 if rotation in (0, 180) else A4[::-1]
    page = document.new_page(width=size[0], height=size[1])
    page.insert_image(page.rect, stream=save(image.rotate(rotation, expand=True), form, dpi))
    page.set_rotation(rotation)  # clockwise; Pillow rotates counter-clockwise
    return page


def scan_pdf(*texts: str, **options: Any) -> bytes:
    """A scanned document, a page for each text."""
    with pymupdf.open() as document:
        for text in texts:
            add_scan(document, text, **options)
        return bytes(document.tobytes())


def masked_scan_pdf(text: str) -> bytes:
    """A scanned page that is a black picture, seen through a mask of its letters."""
    letters = Image.open(io.BytesIO(picture(text, form="PNG"))).point(lambda value: 255 - value)
    with pymupdf.open() as document:
        page = document.new_page(width=A4[0], height=A4[1])
        black = save(Image.new("L", letters.size, "black"), "JPEG", 150)
        page.insert_image(page.rect, stream=black, mask=save(letters, "PNG", 150))
        return bytes(document.tobytes())


def slow_pdf(*first: str, slow: int = 1) -> bytes:
    """A scanned document: a page for each text, then pages so full that a worker is at each for about a minute."""
    side = 1500
    with pymupdf.open() as document:
        page = document.new_page(width=side, height=side)
        write(page, "\n".join([" ".join(PARAGRAPH)] * 110), size=8)
        drawn = page.get_pixmap(dpi=110, colorspace=pymupdf.csGRAY, alpha=False)
    image = Image.frombytes("L", (drawn.width, drawn.height), drawn.samples)
    with pymupdf.open() as document:
        for text in first:
            add_scan(document, text)
        for _ in range(slow):
            page = document.new_page(width=side, height=side)
            page.insert_image(page.rect, stream=save(image.convert("1"), "PNG"))
        return bytes(document.tobytes())


def mixed_pdf(first: str, second: str) -> bytes:
    """A document of a born-digital and a scanned page."""
    with pymupdf.open() as document:
        write(document.new_page(width=A4[0], height=A4[1]), first)
        add_scan(document, second)
        return bytes(document.tobytes())


def layered_pdf(seen: str, layer: str) -> bytes:
    """A scanned page under the invisible text of an earlier OCR run."""
    with pymupdf.open() as document:
        write(add_scan(document, seen), layer, mode=3)
        return bytes(document.tobytes())


def unmapped_pdf(text: str) -> bytes:
    """A page that looks right, in a font that does not tell what its glyphs stand for."""
    with pymupdf.open() as document:
        page = document.new_page(width=A4[0], height=A4[1])
        page.insert_font(fontname="F0", fontbuffer=pymupdf.Font("helv").buffer)
        for row, line in enumerate(text.splitlines()):
            page.insert_text((60, 80 + row * 22), line, fontsize=14, fontname="F0")
        for xref in range(1, document.xref_length()):
            if document.xref_get_key(xref, "ToUnicode")[0] != "null":
                document.xref_set_key(xref, "ToUnicode", "null")
        return bytes(document.tobytes())


def encrypted_pdf(text: str, password: str) -> bytes:
    with pymupdf.open(stream=text_pdf(text), filetype="pdf") as document:
        return bytes(document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=password, owner_pw="the owner's"))


def raw_pdf(page: str, *objects: bytes) -> bytes:
    """A document of one page with the given dictionary entries, written by hand."""
    return objects_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R{page}>>".encode(),
        *objects,
    )


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(content), content)


def objects_pdf(*parts: bytes) -> bytes:
    """A document of these objects, the first of which is the catalog."""
    out, offsets = b"%PDF-1.7\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(parts) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
        % (count, table, count, len(out))
    )


def placed_pdf(*texts: tuple[float, float, str], size: float = 10) -> bytes:
    """A page with texts drawn one by one from `x` and `y`, from the top left corner; each letter is 0.6 em wide.

    The font maps its codes to whatever letters there are, as those of old programs do.
    """
    letters = sorted({char for _, _, text in texts for char in text})
    codes = {char: 33 + number for number, char in enumerate(letters)}  # at most 90 letters
    table = "".join(f"<{code:02x}><{char.encode('utf-16-be').hex()}>\n" for char, code in codes.items())
    cmap = (
        "/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CMapName/X def/CMapType 2 def\n"
        f"1 begincodespacerange<00><ff>endcodespacerange\n{len(codes)} beginbfchar\n{table}endbfchar endcmap end end"
    ).encode()
    drawn = "".join(
        f"1 0 0 1 {x} {A4[1] - y} Tm<{''.join(f'{codes[char]:02x}' for char in text)}>Tj\n" for x, y, text in texts
    )
    content = f"BT/F1 {size} Tf\n{drawn}ET".encode()
    return raw_pdf(
        f"/MediaBox[0 0 {A4[0]} {A4[1]}]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Courier/FirstChar 33/LastChar %d/Widths[%s]/ToUnicode 6 0 R>>"
        % (32 + len(codes), b"600 " * len(codes)),
        b"<</Length %d>>stream\n%s\nendstream" % (len(cmap), cmap),
    )


def upright_columns_pdf(*texts: str) -> bytes:
    """A page with Japanese texts that are written from top to bottom, the first at the right."""
    content = "".join(
        f"1 0 0 1 {500 - 30 * number} 780 Tm<{text.encode('utf-16-be').hex()}>Tj\n" for number, text in enumerate(texts)
    )
    return raw_pdf(
        "/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>",
        stream(f"BT/F1 16 Tf\n{content}ET".encode()),
        b"<</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/UniJIS-UCS2-V/DescendantFonts[6 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiMin-W3/FontDescriptor 7 0 R"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>>>",
        b"<</Type/FontDescriptor/FontName/HeiseiMin-W3/Flags 4/FontBBox[0 -200 1000 900]/ItalicAngle 0/Ascent 800"
        b"/Descent -200/CapHeight 700/StemV 80>>",
    )


def huge_page_pdf() -> bytes:
    """Less than a kilobyte that declares a page of a square kilometre, covered by a picture of one pixel."""
    picture = b"<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>"
    content = b"2834646 0 0 2834646 0 0 cm /I Do"
    return raw_pdf(
        "/MediaBox[0 0 2834646 2834646]/Resources<</XObject<</I 4 0 R>>>>/Contents 5 0 R",
        picture + b"stream\nx\nendstream",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
    )


def image_bomb_pdf(side: int) -> bytes:
    """A small page whose picture declares, and unpacks to, `side` squared pixels."""
    packed = zlib.compress(bytes(side * side), 9)
    picture = b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8" % (
        side,
        side,
    )
    content = b"595 0 0 842 0 0 cm /I Do"
    return raw_pdf(
        "/MediaBox[0 0 595 842]/Resources<</XObject<</I 4 0 R>>>>/Contents 5 0 R",
        picture + b"/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed),
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
    )


def png_bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that declares `side` squared pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
    pixels = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def line_image(text: str, mode: str = "RGB") -> Image.Image:
    """One line of large text."""
    image = Image.new("RGB", (1200, 160), "white")
    ImageDraw.Draw(image).text((40, 40), text, fill="black", font=ImageFont.load_default(56))
    return image.convert(mode)
