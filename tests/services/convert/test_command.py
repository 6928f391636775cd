"""`artificer convert` as a user runs it, against a gateway."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from . import samples
from .conftest import Faces
from .test_convert import MARKDOWN

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[3]


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: bytes
    err: str


async def run(faces: Faces, *arguments: str, stdin: bytes = b"") -> Done:
    environment = os.environ | {"ARTIFICER_ADDRESS": faces.grpc, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "artificer.cli", "convert", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await process.communicate(stdin)
    return Done(process.returncode or 0, out, err.decode())


async def test_a_document_goes_in_and_markdown_comes_out(faces: Faces, tmp_path: Path) -> None:
    (tmp_path / "report.docx").write_bytes(samples.REPORT)
    assert await run(faces, str(tmp_path / "report.docx"), "--to", "md") == Done(0, MARKDOWN.encode(), "")


async def test_the_name_of_the_output_chooses_the_format(faces: Faces, tmp_path: Path) -> None:
    there, back = tmp_path / "a.docx", tmp_path / "b.md"
    assert await run(faces, "-", "--from", "md", "-o", str(there), stdin=MARKDOWN.encode()) == Done(0, b"", "")
    assert await run(faces, str(there), "-o", str(back)) == Done(0, b"", "")
    assert back.read_text() == MARKDOWN


async def test_a_refused_document_is_one_line_and_leaves_the_output_as_it_was(faces: Faces, tmp_path: Path) -> None:
    output = tmp_path / "out.md"
    output.write_text("before")
    done = await run(faces, "-", "--from", "odt", "-o", str(output), stdin=samples.REPORT)
    assert done == Done(2, b"", "artificer: input_format is odt, but the file is docx\n")
    assert (os.listdir(tmp_path), output.read_text()) == (["out.md"], "before")


async def test_a_missing_format_is_a_usage_error(faces: Faces) -> None:
    done = await run(faces, "-", stdin=b"x")
    text = "the format to convert to is missing: use --to, or --output with a file extension"
    assert done == Done(2, b"", f"artificer: {text}\n")
