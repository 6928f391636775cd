"""image.preprocess on pages that were drawn, rotated and soiled; and on data that is not a picture."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from artificer_services.batch.tasks.api import Rejected
from artificer_services.batch.tasks.image import create
from artificer_services.kit import pixels
from tests.services.ocr import samples

from .works import ItemWork, phase


def page(text: str = "", *, dpi: int = 150) -> Image.Image:
    return Image.open(io.BytesIO(samples.picture(text or samples.page_text(1), dpi=dpi, form="PNG")))


def turned(image: Image.Image, angle: float) -> Image.Image:
    return image.convert("L").rotate(angle, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)


def run(data: bytes, **parameters: str) -> tuple[Image.Image, ItemWork]:
    """Returns the output for the bytes of a picture, sent as a data URI."""
    work = ItemWork(
        input="data:application/octet-stream;base64," + base64.b64encode(data).decode(),
        phase=phase("image.preprocess", **parameters),
    )
    task = create({})
    assert task.check(work.phase) == []
    output = task.run(work)
    assert output.score is None
    made, kind = work.blobs[output.text.removeprefix("blob:")]
    assert kind == "image/png"
    return Image.open(io.BytesIO(made)), work


@pytest.mark.parametrize(
    ("angle", "dpi"), [(3, 150), (-3, 150), (3, 300), (0.7, 100), (-8.4, 100), (14, 100), (0, 100)]
)
def test_a_rotated_page_is_set_upright(angle: float, dpi: int) -> None:
    image, work = run(samples.save(turned(page(dpi=dpi), angle), "PNG", dpi), steps="deskew")
    left = pixels.skew(np.asarray(image), 15)
    assert abs(left) <= 0.3
    [(_, line)] = work.lines
    assert line.endswith("degrees")
    assert abs(float(line.split()[2]) + angle) <= 0.3
    assert image.info["dpi"][0] == pytest.approx(dpi, abs=0.1)


def test_white_on_black_is_set_upright_too() -> None:
    dark = Image.eval(turned(page(), 3), lambda value: 255 - value)
    image, _ = run(samples.save(dark, "PNG"), steps="deskew")
    assert abs(pixels.skew(np.asarray(image), 15)) <= 0.3
    assert image.getpixel((2, 2)) == 0  # the corners that rotation adds have the paper's colour


def test_rotation_loses_no_corner() -> None:
    marked = page().convert("L")
    for corner in ((0, 0), (marked.width - 12, 0), (0, marked.height - 12), (marked.width - 12, marked.height - 12)):
        marked.paste(0, (*corner, corner[0] + 12, corner[1] + 12))
    made = pixels.turn(np.asarray(marked), 5.0)
    assert made.shape[0] > marked.height
    assert made.shape[1] > marked.width
    assert int((made < 128).sum()) == pytest.approx(int((np.asarray(marked) < 128).sum()), rel=0.02)


@pytest.mark.parametrize("color", [0, 128, 255])
def test_an_empty_page_stays_unchanged(color: int) -> None:
    blank = Image.new("L", (400, 300), color)
    image, _ = run(samples.save(blank, "PNG"), steps="deskew,denoise")
    assert np.array_equal(np.asarray(image), np.asarray(blank))


def test_a_single_pixel_is_accepted() -> None:
    image, _ = run(samples.save(Image.new("L", (1, 1), 255), "PNG"))
    assert image.size == (1, 1)


@pytest.mark.parametrize(("how", "kind"), [("median", "specks"), ("means", "grain")])
def test_noise_is_removed(how: str, kind: str) -> None:
    chance = np.random.default_rng(7)
    clean = np.asarray(page(dpi=200).convert("L").crop((0, 0, 800, 500))).astype(np.float64)
    if kind == "specks":
        drawn = chance.random(clean.shape)
        noisy = np.where(drawn < 0.02, 0, np.where(drawn > 0.98, 255, clean))
    else:
        noisy = np.clip(clean + chance.normal(0, 20, clean.shape), 0, 255)
    image, _ = run(samples.save(Image.fromarray(noisy.astype(np.uint8)), "PNG"), steps="denoise", denoise=how)
    before = np.square(noisy - clean).mean()
    after = np.square(np.asarray(image).astype(np.float64) - clean).mean()
    assert after < before / 2


def test_binarise_leaves_only_black_and_white() -> None:
    image, _ = run(samples.picture(samples.page_text(2)), steps="binarise")
    assert set(np.unique(np.asarray(image))) == {0, 255}


def test_adaptive_binarisation_handles_uneven_light() -> None:
    clean = np.asarray(page().convert("L")).astype(np.float64)
    ink = clean < 128
    light = np.linspace(0.25, 1.0, clean.shape[1])  # a shadow from the left
    dim = samples.save(Image.fromarray((clean * light).astype(np.uint8)), "PNG")

    def wrong(how: str) -> float:
        image, _ = run(dim, steps="binarise", binarise=how)
        return float(((np.asarray(image) == 0) != ink).mean())

    assert wrong("adaptive") < 0.02
    assert wrong("adaptive") < wrong("otsu") / 5


FORMS: list[tuple[str, str, dict[str, Any]]] = [
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "1", {}),
    ("PNG", "P", {}),
    ("PNG", "I;16", {}),
    ("JPEG", "CMYK", {}),
    ("TIFF", "F", {}),
    ("WEBP", "RGB", {"lossless": True}),
    ("BMP", "L", {}),
    ("GIF", "L", {}),
]


@pytest.mark.parametrize(("form", "mode", "options"), FORMS, ids=[f"{form} {mode}" for form, mode, _ in FORMS])
def test_pictures_of_every_kind_become_gray(form: str, mode: str, options: dict[str, Any]) -> None:
    plain = page().convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(plain).astype(np.uint16) * 257)
    else:
        image = plain.convert("RGB").convert(mode) if mode == "CMYK" else plain.convert(mode)
    made, _ = run(samples.save(image, form, **options), steps="deskew")
    assert made.mode == "L"
    assert np.abs(np.asarray(made).astype(int) - np.asarray(plain).astype(int)).mean() < 3


def test_transparent_paper_is_white() -> None:
    clear = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (100, 80, 200, 90))
    image, _ = run(samples.save(clear, "PNG"), steps="denoise")
    assert (image.getpixel((5, 5)), image.getpixel((150, 85))) == (255, 0)


def test_the_orientation_of_a_photograph_is_respected() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown a quarter turn clockwise
    image, _ = run(samples.save(page().rotate(90, expand=True), "JPEG", exif=exif), steps="denoise")
    assert image.height > image.width


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = samples.png_bomb(40_000)
    assert len(bomb) < 10_000
    with pytest.raises(Rejected, match="40,000 by 40,000 pixels; at most 100,000,000"):
        run(bomb)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is not a PNG"),
        (b"not a picture", "the file is not a PNG"),
        (samples.text_pdf("text"), "the file is not a PNG"),
        (samples.picture("text", form="PNG")[:5000], "the image is damaged"),
        (samples.picture("text", form="JPEG")[:3000], "the image is damaged"),
        (samples.picture("text", form="TIFF")[:3000], "the image is damaged"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "the file is not a PNG, JPEG, TIFF",
        ),  # Pillow would start a program
    ],
)
def test_an_invalid_or_truncated_picture_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        run(data)


def test_a_picture_of_several_frames_is_refused() -> None:
    frames = [Image.new("L", (50, 50), value) for value in (0, 255)]
    for form in ("TIFF", "GIF"):
        data = samples.save(frames[0], form, save_all=True, append_images=frames[1:])
        with pytest.raises(Rejected, match="several frames"):
            run(data)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"steps": "deskew,sharpen"}, "parameters.steps"),
        ({"steps": "deskew,deskew"}, "parameters.steps"),
        ({"steps": " , "}, "parameters.steps"),
        ({"max_angle": "90"}, "parameters.max_angle"),
        ({"max_angle": "nan"}, "parameters.max_angle"),
        ({"denoise": "yes"}, "parameters.denoise"),
        ({"binarise": "sauvola"}, "parameters.binarise"),
        ({"quality": "9"}, "parameters.quality"),
    ],
)
def test_invalid_parameters_are_refused(parameters: dict[str, str], field: str) -> None:
    [(found, _)] = create({}).check(phase("image.preprocess", **parameters))
    assert found == field


def test_the_same_page_makes_the_same_blob(tmp_path: Path) -> None:
    """A repeated attempt stores nothing twice."""
    (tmp_path / "page.jpg").write_bytes(samples.picture(samples.page_text(4)))
    works = [
        ItemWork(input="page.jpg", settings={"root": str(tmp_path)}, phase=phase("image.preprocess")) for _ in range(2)
    ]
    first, second = (create({}).run(work).text for work in works)
    assert first == second
