"""Documents with known text: born-digital pages, and scans with the distortions of scanners.

Every run creates the same documents: all randomness comes from fixed seeds.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import Any

import pymupdf as untyped_pymupdf
from PIL import Image, ImageChops, ImageFilter

pymupdf: Any = untyped_pymupdf  # it is annotated in places only

_A4 = (595, 842)
_FONTS = ("tiro", "helv", "tibo", "cour")
_TEXT = """
the of and to in that was with for his which from their have not were this by had are but one they all been would
there who when more no if out so what up into than them only some could other then about time these may two do first
any like my now over such our man me even most made after also did many before must through back years where much your
way well down should because each just those people how too little state good very make world still own see men work
long get here between both life being under never day same another know while last might us great old year off come
since against go came right used take three harbour ledger vessel captain winter timber wool merchant village council
railway station passenger engine carriage bridge river valley mountain forest orchard garden kitchen window chamber
letter messenger journey evening morning weather thunder lantern candle library chapter paragraph sentence language
history science machine factory workman engineer surveyor measure quantity account invoice payment interest agreement
contract witness signature notary parliament minister election committee report statement evidence judgement question
answer reason purpose opinion knowledge experience education university professor student lecture experiment result
"""
WORDS = _TEXT.split()
_FIGURES = (
    lambda chance: str(chance.randint(2, 9999)),
    lambda chance: f"{chance.randint(1, 28)}/{chance.randint(1, 12)}/{chance.randint(1890, 2020)}",
    lambda chance: f"${chance.randint(1, 999)},{chance.randint(100, 999)}.{chance.randint(10, 99)}",
    lambda chance: f"No. {chance.choice('ABCDEFGH')}{chance.randint(100, 999)}-{chance.randint(10, 99)}",
    lambda chance: f"{chance.randint(1, 99)}%",
    lambda chance: f"{chance.choice('JMRT')}. {chance.choice(('McAllister', 'Illingworth', 'Quill', 'Rowntree'))}",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A document and the true text of each page."""

    name: str
    pdf: bytes
    truths: list[str]


def digital(pages: int, seed: int) -> Sample:
    """A born-digital document."""
    with pymupdf.open() as document:
        truths = [_write(document, random.Random(f"{seed} {page}"), 12) for page in range(pages)]
        return Sample("born-digital", bytes(document.tobytes(deflate=True)), truths)


def scanned(name: str, dpi: int, pages: int, seed: int, *, size: float = 12, between: bool = False) -> Sample:
    """Returns a scan of pages printed in `size` points; `between` alternates scanned and born-digital pages."""
    with pymupdf.open() as document:
        truths = []
        for number in range(pages):
            chance = random.Random(f"{seed} {number}")
            if between and number % 2 == 0:
                truths.append(_write(document, chance, size))
                continue
            with pymupdf.open() as printed:
                truths.append(_write(printed, chance, size))
                drawn = printed[0].get_pixmap(dpi=dpi, alpha=False)
            page = document.new_page(width=_A4[0], height=_A4[1])
            image = Image.frombytes("RGB", (drawn.width, drawn.height), drawn.samples)
            page.insert_image(page.rect, stream=_scan(image, dpi, chance), keep_proportion=False)
        return Sample(name, bytes(document.tobytes()), truths)


def _write(document: Any, chance: random.Random, size: float) -> str:
    """Adds a page of text to a document and returns the text."""
    font = chance.choice(_FONTS)
    wide = pymupdf.Font(font)
    page = document.new_page(width=_A4[0], height=_A4[1])
    lines: list[str] = []
    top, leading = 72.0, size * 1.45
    words = _sentences(chance)
    line = next(words)
    while top + len(lines) * leading < _A4[1] - 72:
        word = next(words)
        if wide.text_length(f"{line} {word}", fontsize=size) < _A4[0] - 130:
            line = f"{line} {word}"
        else:
            page.insert_text((65, top + len(lines) * leading), line, fontsize=size, fontname=font)
            lines.append(line)
            line = word
    page.clean_contents()  # one content stream, as programs write it; above, each line is a separate stream
    return "\n".join(lines)


def _sentences(chance: random.Random) -> Any:
    while True:
        count = chance.randint(6, 16)
        words = [chance.choice(WORDS) for _ in range(count)]
        if chance.random() < 0.5:  # text that OCR engines often misread, as frequent as in letters and reports
            words[chance.randrange(1, count - 1)] = chance.choice(_FIGURES)(chance)
        if chance.random() < 0.3:
            quoted = chance.randrange(1, count - 1)
            words[quoted] = chance.choice(("({})", '"{}"', "{}'s", "{}-ridden", "{}:")).format(words[quoted])
        if count > 9:
            words[count // 2] += ","
        words[0] = words[0].capitalize()
        words[-1] += chance.choice("...?;")
        yield from words


def _scan(image: Image.Image, dpi: int, chance: random.Random) -> bytes:
    """Applies a scanner's distortions to a page: tint, skew, blur, noise, JPEG."""
    paper = (chance.randint(232, 252), chance.randint(227, 248), chance.randint(210, 240))
    ink, rough = chance.randint(25, 75), chance.uniform(15, 23)
    gray = image.convert("L").point(lambda value: ink + value * (255 - ink) // 255)
    tinted = Image.merge("RGB", [gray.point(lambda value, top=top: value * top // 255) for top in paper])
    turned = tinted.rotate(chance.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor=paper)
    blurred = turned.filter(ImageFilter.GaussianBlur(chance.uniform(0.6, 1.2) * dpi / 300))
    grain = Image.frombytes(
        "L", (256, 256), bytes(min(255, max(0, round(chance.gauss(128, rough)))) for _ in range(65536))
    )
    noise = Image.new("L", image.size)
    for x in range(0, image.width, 256):
        for y in range(0, image.height, 256):
            noise.paste(grain.transpose(chance.choice(list(Image.Transpose))), (x, y))
    noisy = Image.merge("RGB", [_add(band, noise) for band in blurred.split()])
    file = io.BytesIO()
    noisy.save(file, "JPEG", quality=chance.randint(60, 80), dpi=(dpi, dpi))
    return file.getvalue()


def _add(band: Image.Image, noise: Image.Image) -> Image.Image:
    return ImageChops.add(band, noise, scale=1, offset=-128)
