"""What clients do with images, over both faces: steps, formats, metadata, and errors."""

from __future__ import annotations

import io
import json
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image, ImageCms

from artificer.image.v1 import image_service_pb2 as pb
from artificer_services.image.build import ImageSettings
from tests.services.ocr import samples
from tests.waiting import until_here

from .conftest import Faces, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "/v1/images:process"
_ORIENTATION, _MAKE = 0x0112, 0x010F


def save(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def quadrants(width: int = 400, height: int = 200) -> Image.Image:
    """Red, green, blue and white quarters, clockwise from the top left."""
    image = Image.new("RGB", (width, height), "white")
    for color, x, y in (("red", 0, 0), ("lime", 1, 0), ("blue", 1, 1)):
        left, top = x * width // 2, y * height // 2
        image.paste(color, (left, top, left + width // 2, top + height // 2))
    return image


PLAIN = save(quadrants(), "PNG")


def corners(image: Image.Image) -> str:
    """The colours of the corners, clockwise from the top left: r, g, b, w, or - for anything else."""
    names = {"#ff0000": "r", "#00ff00": "g", "#0000ff": "b", "#ffffff": "w"}
    pixels = np.asarray(image.convert("RGB")).astype(int)
    found = [pixels[row, column] for row, column in ((2, 2), (2, -3), (-3, -3), (-3, 2))]
    near = ["#" + "".join("ff" if value > 127 else "00" for value in color) for color in found]
    return "".join(names.get(color, "-") for color in near)


async def made(faces: Faces, data: bytes, **fields: Any) -> Image.Image:
    """The result of a call over gRPC."""
    answer = await faces.stub.ProcessImage(pb.ProcessImageRequest(image_data=data, **fields))
    image = Image.open(io.BytesIO(answer.data))
    assert answer.content_type == Image.MIME[str(image.format)]
    return image


async def by_rest(faces: Faces, data: bytes, kind: str = "image/png", **options: str) -> Image.Image:
    answer = await faces.http.post(URL, content=data, params=options, headers={"content-type": kind})
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


async def refused(faces: Faces, data: bytes, **fields: Any) -> tuple[str, str]:
    """The message of a refused call, and the field that it names."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await faces.stub.ProcessImage(pb.ProcessImageRequest(image_data=data, **fields))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    answer = await faces.http.post(
        URL,
        json=json.loads(_as_json(pb.ProcessImageRequest(image_data=data, **fields))),
    )
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"] == caught.value.details()
    return error["message"], error["details"][0]["fieldViolations"][0]["field"]


def _as_json(request: pb.ProcessImageRequest) -> str:
    from google.protobuf.json_format import MessageToJson

    return MessageToJson(request)


def step(**operation: Any) -> list[pb.ImageStep]:
    return [pb.ImageStep(**operation)]


async def test_a_raw_body_is_processed_by_the_query(faces: Faces) -> None:
    image = await by_rest(faces, PLAIN, **{"step.resize.width": "100", "format": "IMAGE_FORMAT_WEBP"})
    assert (image.format, image.size, corners(image)) == ("WEBP", (100, 50), "rgbw")


async def test_a_form_has_several_steps_in_order(faces: Faces) -> None:
    steps = ['{"rotate":{"degrees":90}}', '{"grayscale":{}}']
    answer = await faces.http.post(URL, files={"image_data": ("a.png", PLAIN, "image/png")}, data={"steps": steps})
    image = Image.open(io.BytesIO(answer.content))
    assert (image.mode, image.size) == ("L", (200, 400))


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({"width": 100}, (100, 50)),
        ({"height": 100}, (200, 100)),
        ({"width": 100, "height": 100}, (100, 50)),
        ({"width": 100, "height": 100, "fit": "RESIZE_FIT_COVER"}, (100, 100)),
        ({"width": 100, "height": 100, "fit": "RESIZE_FIT_FILL"}, (100, 100)),
        ({"width": 800}, (400, 200)),
        ({"width": 800, "height": 100, "fit": "RESIZE_FIT_FILL"}, (400, 100)),
        ({"width": 500, "height": 500, "fit": "RESIZE_FIT_COVER"}, (400, 200)),
        ({"width": 800, "enlarge": True}, (800, 400)),
        ({"width": 1}, (1, 1)),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
async def test_sizes(faces: Faces, asked: dict[str, Any], size: tuple[int, int], form: str) -> None:
    image = await made(faces, save(quadrants(), form), steps=step(resize=pb.Resize(**asked)))
    assert image.size == size
    if min(size) > 10:
        assert corners(image) == "rgbw"


async def test_cover_cuts_both_ends_equally(faces: Faces) -> None:
    stripes = Image.new("RGB", (400, 100), "red")
    stripes.paste("blue", (100, 0, 300, 100))
    image = await made(
        faces, save(stripes, "PNG"), steps=step(resize=pb.Resize(width=100, height=50, fit=pb.RESIZE_FIT_COVER))
    )
    assert (image.size, corners(image)) == ((100, 50), "bbbb")


async def test_thumbnails_are_whole_or_square(faces: Faces) -> None:
    photo = save(quadrants(1000, 500), "JPEG", quality=95)
    assert (await made(faces, photo, steps=step(thumbnail=pb.Thumbnail()))).size == (256, 128)
    square = await made(faces, photo, steps=step(thumbnail=pb.Thumbnail(size=64, square=True)))
    assert (square.size, corners(square)) == ((64, 64), "rgbw")


async def test_crop_and_rotate(faces: Faces) -> None:
    cropped = await made(faces, PLAIN, steps=step(crop=pb.Crop(left=200, width=200, height=100)))
    assert (cropped.size, corners(cropped)) == ((200, 100), "gggg")
    assert corners(await made(faces, PLAIN, steps=step(rotate=pb.Rotate(degrees=90)))) == "wrgb"
    assert corners(await made(faces, PLAIN, steps=step(rotate=pb.Rotate(degrees=-90)))) == "gbwr"
    turned = await made(faces, PLAIN, steps=step(rotate=pb.Rotate(degrees=45)), background="#00ff00")
    assert turned.width > 400
    assert corners(turned) == "gggg"


@pytest.mark.parametrize(("orientation", "shown"), [(1, "rgbw"), (3, "bwrg"), (6, "wrgb"), (8, "gbwr")])
async def test_the_orientation_of_a_photograph_is_applied_once(faces: Faces, orientation: int, shown: str) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    photo = save(quadrants(800, 400), "JPEG", exif=exif, quality=95)
    for steps in ([], step(thumbnail=pb.Thumbnail(size=100))):
        for keep in (False, True):
            image = await made(faces, photo, steps=steps, keep_metadata=keep)
            assert corners(image) == shown
            assert image.getexif().get(_ORIENTATION) is None


async def test_metadata_is_kept_only_on_request(faces: Faces) -> None:
    exif = Image.Exif()
    exif[_MAKE] = "Camera of somebody"
    for form in ("JPEG", "TIFF", "PNG", "WEBP", "AVIF"):
        photo = save(quadrants(), form, exif=exif, xmp=b"<x:xmpmeta/>")
        answer = await faces.stub.ProcessImage(pb.ProcessImageRequest(image_data=photo))
        assert b"somebody" not in answer.data, form
        assert b"xmpmeta" not in answer.data, form
        kept = await made(faces, photo, keep_metadata=True)
        assert kept.getexif()[_MAKE] == "Camera of somebody", form


async def test_the_resolution_of_a_scan_is_kept(faces: Faces) -> None:
    scan = save(quadrants(), "PNG", dpi=(300, 300))
    straight = await made(faces, scan, format=pb.IMAGE_FORMAT_TIFF, steps=step(grayscale=pb.Grayscale()))
    assert round(straight.info["dpi"][0]) == 300
    assert "dpi" not in (await made(faces, scan, steps=step(thumbnail=pb.Thumbnail()))).info


async def test_colours_of_a_profile_become_srgb(faces: Faces) -> None:
    """With a profile whose red is another one, the numbers change so that the colours stay."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gray = Image.new("RGB", (50, 50), (100, 150, 200))
    same = await made(faces, save(gray, "PNG", icc_profile=srgb))
    assert np.abs(np.asarray(same)[5, 5].astype(int) - (100, 150, 200)).max() <= 1
    assert "icc_profile" not in same.info
    assert "icc_profile" in (await made(faces, save(gray, "PNG", icc_profile=srgb), keep_metadata=True)).info
    # A profile that does not fit is no reason to refuse the image.
    assert (await made(faces, save(gray, "PNG", icc_profile=lab))).size == (50, 50)


@pytest.mark.parametrize("source", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000", "PPM"])
async def test_every_format_is_read(faces: Faces, source: str) -> None:
    image = await made(faces, save(quadrants(), source), format=pb.IMAGE_FORMAT_PNG)
    assert (image.format, image.size, corners(image)) == ("PNG", (400, 200), "rgbw")


@pytest.mark.parametrize("target", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "JP2"])
async def test_every_format_is_written(faces: Faces, target: str) -> None:
    image = await made(faces, PLAIN, format=pb.ImageFormat.Value(f"IMAGE_FORMAT_{target}"))
    assert (image.format, image.size, corners(image)) == (target.replace("JP2", "JPEG2000"), (400, 200), "rgbw")


@pytest.mark.parametrize("target", ["JPEG", "WEBP", "AVIF", "JP2"])
async def test_quality_makes_files_smaller(faces: Faces, target: str) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    data, form = save(Image.fromarray(noise), "PNG"), pb.ImageFormat.Value(f"IMAGE_FORMAT_{target}")
    sizes = [
        len((await faces.stub.ProcessImage(pb.ProcessImageRequest(image_data=data, format=form, quality=quality))).data)
        for quality in (20, 90)
    ]
    assert sizes[0] < sizes[1] / 1.5


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "F"])
async def test_pixels_of_every_kind_become_eight_bits(faces: Faces, mode: str) -> None:
    gray = Image.linear_gradient("L").resize((50, 50))
    image = gray.convert("RGB").convert(mode) if mode == "CMYK" else gray.convert(mode.replace("I;16", "L"))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    changed = await made(faces, save(image, "TIFF" if mode in ("CMYK", "F") else "PNG"), format=pb.IMAGE_FORMAT_PNG)
    off = np.abs(np.asarray(changed.convert("L")).astype(int) - np.asarray(gray).astype(int)).mean()
    assert off < (100 if mode == "1" else 3)  # black and white dots


async def test_transparency_is_kept_or_gets_the_background(faces: Faces) -> None:
    clear = save(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), "PNG")
    assert (await made(faces, clear)).getpixel((5, 5)) == (0, 0, 0, 0)
    white = await made(faces, clear, format=pb.IMAGE_FORMAT_JPEG)
    blue = await made(faces, clear, format=pb.IMAGE_FORMAT_JPEG, background="#0000ff")
    assert (corners(white), corners(blue)) == ("wwww", "bbbb")


async def test_an_animation_stays_one_where_the_format_has_frames(faces: Faces) -> None:
    frames = [Image.new("RGB", (60, 40), color) for color in ("red", "lime", "blue")]
    movie = save(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0)
    webp = await made(faces, movie, format=pb.IMAGE_FORMAT_WEBP, steps=step(resize=pb.Resize(width=30)))
    assert (getattr(webp, "n_frames", 1), webp.size) == (3, (30, 20))
    webp.seek(2)
    assert corners(webp) == "bbbb"
    still = await made(faces, movie, format=pb.IMAGE_FORMAT_PNG)
    assert corners(still) == "rrrr"
    pages = await made(faces, movie, format=pb.IMAGE_FORMAT_TIFF)
    assert getattr(pages, "n_frames", 1) == 3


async def test_an_animation_may_have_more_loops_and_longer_frames_than_the_format_of_the_result(faces: Faces) -> None:
    frames = [Image.new("RGB", (60, 40), color) for color in ("red", "lime", "blue")]
    for form, options in (("PNG", {"loop": 2**31, "duration": 33.3}), ("WEBP", {"duration": [100, 16_000_000, 100]})):
        movie = save(frames[0], form, save_all=True, append_images=frames[1:], **options)
        for target in (pb.IMAGE_FORMAT_GIF, pb.IMAGE_FORMAT_WEBP, pb.IMAGE_FORMAT_AVIF):
            assert getattr(await made(faces, movie, format=target), "n_frames", 1) == 3


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
async def test_damaged_metadata_is_ignored(faces: Faces, form: str) -> None:
    damaged = save(quadrants(), form, exif=b"Exif\0\0MM no EXIF data")
    for fields in ({}, {"keep_metadata": True}, {"steps": step(binarise=pb.Binarise())}):
        assert (await made(faces, damaged, **fields)).size == (400, 200)


async def test_the_first_image_starts_the_workers() -> None:
    async with serve(ImageSettings(workers=2)) as faces:
        assert not faces.service.pool.workers
        assert await faces.service.ready()
        assert 'state="missing"} 0.0' in (await faces.http.get("/metrics")).text
        assert (await made(faces, PLAIN)).size == (400, 200)
        assert faces.service.pool.workers
    assert not await faces.service.ready()


async def test_a_skewed_scan_is_straightened_and_made_black_and_white(faces: Faces) -> None:
    from artificer_services.kit import pixels

    page = Image.open(io.BytesIO(samples.picture(samples.page_text(1), dpi=100, form="PNG"))).convert("RGB")
    scan = page.rotate(4, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC)
    steps = [
        pb.ImageStep(deskew=pb.Deskew()),
        pb.ImageStep(denoise=pb.Denoise()),
        pb.ImageStep(binarise=pb.Binarise(method=pb.BINARISE_METHOD_ADAPTIVE)),
    ]
    image = await made(faces, save(scan, "PNG"), steps=steps)
    assert abs(pixels.skew(np.asarray(image), 15)) <= 0.3
    assert set(np.unique(np.asarray(image))) == {0, 255}


BOMB = samples.png_bomb(40_000)


@pytest.mark.parametrize(
    ("data", "fields", "message", "field"),
    [
        (b"", {}, "the image is empty", "image_data"),
        (b"text", {}, "the file is not a PNG, JPEG, TIFF, WebP", "image_data"),
        (PLAIN[:300], {}, "the image is damaged: its pixels cannot be decoded", "image_data"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", {}, "the file is not a PNG", "image_data"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {}, "the file is not a PNG", "image_data"),
        (PLAIN[:300], {"keep_metadata": True}, "the image is damaged: its pixels cannot be decoded", "image_data"),
        (
            PLAIN,
            {"steps": step(resize=pb.Resize(width=65_520, height=1, fit=pb.RESIZE_FIT_FILL, enlarge=True))}
            | {"format": pb.IMAGE_FORMAT_JPEG},
            "JPEG files have at most 65,500 pixels a side, not 65,520",
            "format",
        ),
        (BOMB, {}, "the image has 40,000 by 40,000 pixels; at most 2,000,000", "image_data"),
        (b"\0" * 3_000_001, {}, "the image has 3,000,001 bytes; at most 3,000,000", "image_data"),
        (
            PLAIN,
            {"content_type": "image/jpeg"},
            "the content type is image/jpeg, but the image is image/png",
            "content_type",
        ),
        (PLAIN, {"steps": [{}]}, "expected one of resize, thumbnail", "steps[0]"),
        (PLAIN, {"steps": [{"grayscale": {}}] * 21}, "expected at most 20 steps", "steps"),
        (PLAIN, {"step": {"resize": {}}}, "expected a width or a height", "step.resize.width"),
        (PLAIN, {"steps": [{"resize": {"width": -1}}]}, "expected 0 to 65,535 pixels, not -1", "steps[0].resize.width"),
        (
            PLAIN,
            {"steps": [{"resize": {"width": 9, "fit": "RESIZE_FIT_COVER"}}]},
            "the fit cover needs a width and a height",
            "steps[0].resize.fit",
        ),
        (
            PLAIN,
            {"steps": [{"resize": {"width": 60_000, "enlarge": True}}]},
            "the result has 60,000 by 30,000 pixels; at most 2,000,000",
            "image_data",
        ),
        (
            PLAIN,
            {"steps": [{"crop": {"left": 300, "width": 200, "height": 10}}]},
            "the rectangle ends at 500, 10; the image has 400 by 200 pixels",
            "steps",
        ),
        (PLAIN, {"steps": [{"crop": {}}]}, "expected 1 to 2,147,483,647 pixels, not 0", "steps[0].crop.width"),
        (
            PLAIN,
            {"steps": [{"rotate": {"degrees": 361}}]},
            "expected -360 to 360 degrees, not 361",
            "steps[0].rotate.degrees",
        ),
        (
            PLAIN,
            {"steps": [{"deskew": {"max_angle": 50}}]},
            "expected 0.5 to 45 degrees, not 50",
            "steps[0].deskew.max_angle",
        ),
        (PLAIN, {"steps": [{"resize": {"width": 9, "fit": 9}}]}, "there is no fit 9", "steps[0].resize.fit"),
        (PLAIN, {"steps": [{"denoise": {"method": 9}}]}, "there is no method 9", "steps[0].denoise.method"),
        (PLAIN, {"step": {"binarise": {"method": 9}}}, "there is no method 9", "step.binarise.method"),
        (PLAIN, {"format": 99}, "there is no image format 99", "format"),
        (PLAIN, {"quality": 101}, "expected 1 to 100, not 101", "quality"),
        (PLAIN, {"quality": 0}, "expected 1 to 100, not 0", "quality"),
        (PLAIN, {"quality": 50}, "PNG has no quality: it is always lossless", "quality"),
        (PLAIN, {"lossless": True, "format": "IMAGE_FORMAT_JPEG"}, "only WebP files are lossless", "lossless"),
        (PLAIN, {"background": "red"}, "expected a colour such as #ffffff, not 'red'", "background"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_the_reason(
    faces: Faces, data: bytes, fields: dict[str, Any], message: str, field: str
) -> None:
    told, named = await refused(faces, data, **fields)
    assert told.startswith(message)
    assert named == field


async def test_animations_of_very_many_frames_are_refused(faces: Faces) -> None:
    frames = [Image.new("L", (10, 10), value) for value in range(0, 60, 10)]
    for form in ("GIF", "TIFF"):
        movie = save(frames[0], form, save_all=True, append_images=frames[1:])
        told, _ = await refused(faces, movie)
        assert told == "the image has more than 5 frames, the limit"
    large = [Image.new("L", (1000, 900), value) for value in (0, 100, 200)]
    told, _ = await refused(faces, save(large[0], "TIFF", save_all=True, append_images=large[1:]))
    assert told == "the frames have 2,700,000 pixels together; at most 2,000,000 are accepted"


async def test_work_that_takes_too_long_is_ended() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (1200, 1200), dtype=np.uint8)
    slow = pb.ImageStep(denoise=pb.Denoise(method=pb.DENOISE_METHOD_MEANS))
    async with serve(ImageSettings(workers=1, timeout=0.3)) as faces:
        data = save(Image.fromarray(noise), "PNG", compress_level=0)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await faces.stub.ProcessImage(pb.ProcessImageRequest(image_data=data, steps=[slow] * 20))
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await until_here(lambda: bool(faces.service.pool.workers))
        assert await faces.service.ready()


async def test_memory_is_limited() -> None:
    async with serve(ImageSettings(workers=1, worker_memory_bytes=200 << 20)) as faces:
        told, field = await refused(faces, samples.png_bomb(15_000))  # 225 MB of gray pixels
        assert (told, field) == ("the document needs more memory than the server allows", "image_data")
