"""The program of a worker process that changes images."""

from __future__ import annotations

import resource

from ..kit.workers import wire
from ..kit.workers.serve import serve
from .work import ImageLimits, ImageTasks


def make(setup: wire.Frame) -> ImageTasks:
    """Returns the tasks."""
    limits = ImageLimits(**setup["limits"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output_bytes, limits.output_bytes))
    return ImageTasks(limits)


if __name__ == "__main__":
    serve(make)
