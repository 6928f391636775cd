"""Documents read by other programs: a loop over pytesseract, and OCRmyPDF.

Each takes a PDF and returns the text of its pages.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pymupdf as untyped_pymupdf
import pytesseract  # type: ignore[import-untyped]  # no stubs
from PIL import Image

pymupdf: Any = untyped_pymupdf  # it is annotated in places only


def program() -> str:
    """Returns the path of the system's Tesseract if there is one, else the pip package's."""
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(entry for entry in os.get_exec_path() if entry != own)
    return shutil.which("tesseract", path=path) or str(Path(own) / "tesseract")


def program_version() -> str:
    """Returns its version and whether it is built with OpenMP, which uses a thread per core for each page."""
    said = subprocess.run([program(), "--version"], check=True, capture_output=True, text=True)
    lines = (said.stdout or said.stderr).splitlines()
    return f"{lines[0]} {'with' if any('OpenMP' in line for line in lines) else 'without'} OpenMP"


def naive(pdf: bytes, pages: int) -> list[str]:
    """Reads as tutorials do: renders each page at 300 dpi in colour, saves it as PNG, and calls pytesseract."""
    texts = []
    pytesseract.pytesseract.tesseract_cmd = program()
    with pymupdf.open(stream=pdf, filetype="pdf") as document:
        for page in list(document)[:pages]:
            png = page.get_pixmap(dpi=300).tobytes("png")
            texts.append(str(pytesseract.image_to_string(Image.open(io.BytesIO(png)))))
    return texts


def ocrmypdf(pdf: bytes, pages: int) -> list[str]:
    """Reads with OCRmyPDF on all cores, with everything except OCR turned off; pages with text are copied."""
    with tempfile.TemporaryDirectory() as folder:
        source, target, sidecar = (Path(folder) / name for name in ("in.pdf", "out.pdf", "out.txt"))
        source.write_bytes(pdf)
        options = ["--output-type", "pdf", "-O0", "--skip-text", "-q", "-j", str(len(os.sched_getaffinity(0)))]
        command = [sys.executable, "-m", "ocrmypdf", *options, "--sidecar", str(sidecar), str(source), str(target)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        with pymupdf.open(target) as document:
            texts = sidecar.read_text().split("\f")
            direct = [page.get_text() for page in document]
    return [text if "OCR skipped" not in text else direct[index] for index, text in enumerate(texts[:pages])]
