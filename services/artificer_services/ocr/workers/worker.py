"""The program of an OCR worker process."""

from __future__ import annotations

from ...kit.workers import wire
from ...kit.workers.serve import serve
from ..recognition.languages import Languages
from ..recognition.reader import Reader
from .libraries import ocr_engine, pdf_engine
from .pixels import DocumentLimits
from .task_runner import TaskRunner


def make(setup: wire.Frame) -> TaskRunner:
    """Returns the tasks, with libraries that are loaded and warm."""
    ocr = ocr_engine(setup["ocr_engine"])
    languages, defaults = Languages.from_wire(setup["languages"]), tuple(setup["defaults"])
    ocr.warm(languages.data(defaults))
    reader = Reader(ocr, languages, defaults)
    return TaskRunner(pdf_engine(setup["pdf_engine"]), reader, DocumentLimits(**setup["limits"]))


if __name__ == "__main__":
    serve(make)
