"""Reads scanned letters into a collection and answers a question from them: python letters.py QUESTION FILE..."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from artificer import Answer, Artificer, BatchProgress, BatchRun, errors, steps
from artificer.types.rag import Citation

COLLECTION = "letters"


def show(progress: BatchProgress) -> None:
    print(f"{progress.stage}: {progress.done} of {progress.total}", file=sys.stderr)


def index(client: Artificer, files: Sequence[str]) -> BatchRun:
    """Reads the files on the server and puts their texts into the collection."""
    with suppress(errors.AlreadyExistsError):
        client.collections.create(COLLECTION, display_name="Letters")
    pipeline = client.orchestration.pipeline(
        steps.Extract(languages=["eng"]), steps.Normalize(), steps.Index(COLLECTION, text="{{input}}")
    )
    return pipeline.run(files, progress=show)


def cited(citation: Citation) -> str:
    return f"  {citation.document}: {citation.quote}"


def main(arguments: Sequence[str]) -> int:
    question, *files = arguments
    with Artificer() as client:
        for failed in index(client, files).failed:
            print(f"{failed.metadata['name']}: {failed.error}", file=sys.stderr)
        with client.collections.ask(COLLECTION, question, mode="hybrid") as stream:
            for piece in stream.text():
                print(piece, end="", flush=True)
        answer: Answer = stream.so_far
    print("", *map(cited, answer.citations), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
