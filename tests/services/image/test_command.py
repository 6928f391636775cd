"""`artificer image` as a user runs it, against a gateway."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from .conftest import Faces
from .test_process import PLAIN, corners

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[3]


async def run(faces: Faces, *arguments: str, stdin: bytes = PLAIN) -> tuple[int, bytes, str]:
    """The exit code, the output and the errors of a command."""
    environment = os.environ | {"ARTIFICER_ADDRESS": faces.grpc, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "artificer.cli", "image", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await process.communicate(stdin)
    return process.returncode or 0, out, err.decode()


async def test_the_output_chooses_the_format_and_options_are_steps(faces: Faces, tmp_path: Path) -> None:
    made = tmp_path / "a.webp"
    options = ("--rotate", "90", "--size", "50x50", "--fit", "cover", "-o", str(made))
    assert await run(faces, "-", *options) == (0, b"", "")
    image = Image.open(io.BytesIO(made.read_bytes()))
    assert (image.format, image.size, corners(image)) == ("WEBP", (50, 50), "wrgb")


async def test_an_image_goes_through_a_pipe(faces: Faces) -> None:
    code, out, err = await run(faces, "-", "--gray", "--to", "jpeg", "--quality", "50")
    assert (code, err) == (0, "")
    assert Image.open(io.BytesIO(out)).mode == "L"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "big"), "the size must be such as 300x200, 300x or x200, not 'big'"),
        (("-o", "a.bmp"), "cannot write 'bmp' files; expected one of png, jpeg, webp, avif, tiff, gif, jp2"),
        (("--to", "png", "--quality", "9"), "PNG has no quality: it is always lossless"),
    ],
)
async def test_mistakes_are_one_line(faces: Faces, arguments: tuple[str, ...], message: str) -> None:
    assert await run(faces, "-", *arguments) == (2, b"", f"artificer: {message}\n")
