"""The program of a worker process that keeps as much memory as its tasks say."""

from __future__ import annotations

from typing import Any

from artificer_services.kit.workers.serve import serve


class Hoarder:
    """Never gives memory back, like a library that has fragmented it."""

    greeting: dict[str, str] = {}  # noqa: RUF012 -- never changed; of the Protocol

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def do(self, task: dict[str, Any], document: int, output: int | None) -> dict[str, Any]:
        """Keep memory."""
        self._kept.append(b"x" * task["bytes"])
        return {}

    def forget(self, document: int) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    serve(lambda setup: Hoarder())
