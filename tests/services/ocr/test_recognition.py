"""Recognition with both OCR libraries: what they find in a picture of known text, however it lies."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from artificer_services.ocr.errors import ScriptMissing
from artificer_services.ocr.page.raster import Raster, shrink
from artificer_services.ocr.recognition.grain import smoothed
from artificer_services.ocr.recognition.languages import Languages, find_languages
from artificer_services.ocr.recognition.reader import Reader
from artificer_services.ocr.recognition.skew import find_skew
from artificer_services.ocr.workers.libraries import ocr_engine
from bench.ocr.corpus import scanned
from bench.ocr.score import error_rate

from . import samples

ENGLISH = ("eng",)
TEXT = "Timber for the winter\nR&D <of> the fort"
LINES = "\n".join(samples.PARAGRAPH[:3])
GERMAN = "Die Mühle über dem Fluss gehört dem Käufer\nDer Kapitän prüft die Gebühr für das Gepäck"
RUSSIAN = "Судно вошло в гавань ранним утром\nКапитан подписал журнал и заплатил\nПисьма отправляются утром"


def installed() -> Languages:
    """The languages that pip installs: a machine may have more."""
    found = find_languages()
    folders = ((folder, names & {"eng", "deu"}) for folder, names in found.folders)
    return Languages(tuple((folder, names) for folder, names in folders if names), found.osd)


@pytest.fixture(scope="module", params=["tesserocr", "pytesseract"])
def reader(request: pytest.FixtureRequest) -> Reader:
    return Reader(ocr_engine(request.param), installed(), ENGLISH)


def page(text: str, turn: float = 0, *, font: str = "helv", height: int = 200) -> Raster:
    """A page of 14 points at 150 dpi, turned counter-clockwise by `turn` degrees."""
    with samples.pymupdf.open() as document:
        drawn = document.new_page(width=samples.A4[0], height=height)
        writer = samples.pymupdf.TextWriter(drawn.rect)
        for row, line in enumerate(text.splitlines()):
            writer.append((60, 80 + row * 22), line, font=samples.pymupdf.Font(font), fontsize=14)
        writer.write_text(drawn)
        png = drawn.get_pixmap(dpi=150, colorspace=samples.pymupdf.csGRAY, alpha=False).tobytes("png")
    image = Image.open(io.BytesIO(png))
    return Raster(image.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=255), 150)


def test_words_have_their_places_sizes_and_confidences(reader: Reader) -> None:
    reading = reader.read(page(TEXT), ENGLISH)
    assert [line.text for line in reading.lines] == TEXT.splitlines()
    assert reading.text.split() == TEXT.split()
    first = reading.lines[0].words[0]
    # Written at 60 points from the left, with its baseline 80 points from the top.
    assert first.box.left == pytest.approx(60 * 150 / 72, abs=4)
    assert first.box.bottom == pytest.approx(80 * 150 / 72, abs=4)
    assert first.size == pytest.approx(14 * 150 / 72, rel=0.15)
    scores = [word.confidence for line in reading.lines for word in line.words]
    assert min(scores) > 0.5
    assert reading.confidence == pytest.approx(sum(scores) / len(scores))
    assert (reading.rotation, reading.skew) == (0, 0)


def test_a_picture_without_text_has_no_words(reader: Reader) -> None:
    reading = reader.read(Raster(Image.new("L", (300, 200), 255), 150), ENGLISH)
    assert (reading.text.strip(), reading.confidence, reading.lines) == ("", 0.0, ())


@pytest.mark.parametrize(
    ("turn", "rotation", "skew"), [(90, 90, 0), (180, 180, 0), (270, 270, 0), (4, 0, 4), (-12, 0, -12), (93, 90, 3)]
)
def test_a_page_is_read_however_it_lies(reader: Reader, turn: float, rotation: int, skew: float) -> None:
    raster = page(LINES, turn)
    reading = reader.read(raster, ENGLISH)
    assert reading.text.split() == LINES.split()
    assert (reading.rotation, round(reading.skew)) == (rotation, skew)
    assert [line.text for line in sorted(reading.lines, key=lambda line: line.box.top)] == LINES.splitlines()
    for line in reading.lines:
        for word in line.words:
            left, top, right, bottom = reading.turn.back(word.box)  # on the page as it was given: black on white
            assert min(raster.image.crop((left, top, right, bottom)).tobytes()) < 64


def test_a_line_alone_is_turned(reader: Reader) -> None:
    assert reader.read(page(samples.PARAGRAPH[0], 180), ENGLISH).text.strip() == samples.PARAGRAPH[0]


@pytest.mark.parametrize("degrees", [-15, -1.5, 0, 0.5, 7, 14])
def test_skew_is_measured(degrees: float) -> None:
    assert find_skew(page(LINES, degrees).image) == pytest.approx(degrees, abs=0.25)


def test_nothing_is_skewed_on_an_empty_page() -> None:
    assert find_skew(Image.new("L", (40, 3000), 200)) == 0
    assert find_skew(Image.new("L", (1, 1))) == 0


@pytest.mark.parametrize(("text", "language"), [(GERMAN, "deu"), (LINES, "eng")])
def test_auto_picks_the_language_that_reads_best(reader: Reader, text: str, language: str) -> None:
    reading = reader.read(page(text, 180), ("auto",))
    assert reading.text.split() == text.split()
    assert reading.languages[0] == language
    assert reading.script == "Latin"


def test_auto_names_a_script_of_which_no_language_is_installed(reader: Reader) -> None:
    with pytest.raises(ScriptMissing, match=r"script Cyrillic.*installed: deu, eng"):
        reader.read(page(RUSSIAN, font="cjk"), ("auto",))


def test_a_language_asked_for_reads_any_script_and_says_which_it_is(reader: Reader) -> None:
    reading = reader.read(page(RUSSIAN, font="cjk"), ENGLISH)
    assert reading.script == "Cyrillic"
    assert reading.confidence < 0.65


def test_letters_of_a_screen_are_enlarged_and_keep_their_places(reader: Reader) -> None:
    large, small = page("Settings and privacy options"), page("Settings and privacy options")
    small = Raster(small.image.resize((small.image.width * 3 // 7, small.image.height * 3 // 7)), 0)  # 6 points at 150
    reading = reader.read(small, ENGLISH)
    assert reading.text.strip() == "Settings and privacy options"
    there = [word.box.left * 7 / 3 for line in reading.lines for word in line.words]
    assert there == pytest.approx(
        [word.box.left for line in reader.read(large, ENGLISH).lines for word in line.words], abs=8
    )


def test_a_resolution_that_cannot_be_true_is_not_used(reader: Reader) -> None:
    reading = reader.read(Raster(page(LINES).image, 1200), ENGLISH)
    assert reading.text.split() == LINES.split()
    assert reading.dpi == pytest.approx(200, abs=60)


@pytest.mark.parametrize("points", [12, 6])
def test_small_print_gets_a_higher_resolution(points: float) -> None:
    with samples.pymupdf.open() as document:
        samples.write(document.new_page(width=samples.A4[0], height=samples.A4[1]), LINES, size=points)
        drawn = document[0].get_pixmap(dpi=300, colorspace=samples.pymupdf.csGRAY, alpha=False)
    image = Image.frombytes("L", (drawn.width, drawn.height), drawn.samples)
    chosen = shrink(image, 300, 200).dpi
    assert chosen == 200 if points == 12 else 200 < chosen < 300
    assert shrink(image, 300, 200, exact=True).dpi == 200


def test_grain_is_not_read_as_punctuation(reader: Reader) -> None:
    sample = scanned("150 dpi", 150, 4, 3)
    with samples.pymupdf.open(stream=sample.pdf) as document:
        scan = document.extract_image(document[3].get_images()[0][0])["image"]
    reading = reader.read(Raster(Image.open(io.BytesIO(scan)).convert("L"), 150), ENGLISH)
    # 0.14 % of the characters are wrong; 0.54 % if the grain is left.
    assert error_rate([sample.truths[3]], [reading.text]) < 0.3


def test_a_clean_page_is_not_smoothed() -> None:
    clean = page(TEXT)
    assert smoothed(clean) is clean
