"""The cookbook's blocks as one program for each language. It runs nothing and knows no task."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from tests.docs.blocks import ROOT, Block, read

PAGE = read(ROOT / "docs" / "sdk" / "cookbook.md")
LANGUAGES = ("sh", "python", "ts", "go")
MARK = "--- task"


@dataclass(frozen=True, slots=True)
class Task:
    """A task by language, and what the programs print; None if the page does not show it."""

    blocks: dict[str, Block]
    output: str | None


def chapters() -> list[Task]:
    """Returns the set-up of the languages, and then the tasks. Raises ValueError if one lacks a language."""
    found, blocks = list[Task](), list(PAGE.blocks[1:])
    while blocks:
        four, blocks = blocks[:4], blocks[4:]
        if tuple(block.language for block in four) != LANGUAGES:
            raise ValueError(f"expected {', '.join(LANGUAGES)} from line {four[0].line} on")
        output = blocks.pop(0).code if blocks and blocks[0].language == "text" else None
        found.append(Task({block.language: block for block in four}, output))
    return found


FILES = PAGE.blocks[0].code
"""The commands that make the files of the tasks."""
SETUP, *TASKS = chapters()


def python() -> str:
    """Returns the program in Python."""
    parts = [f'print("{MARK}", flush=True)\n{task.blocks["python"].code}' for task in TASKS]
    return "\n".join([SETUP.blocks["python"].code, *parts])


def typescript() -> str:
    """Returns the program in TypeScript; each task has its own scope."""
    parts = [f'console.log("{MARK}");\n{{\n{task.blocks["ts"].code}}}\n' for task in TASKS]
    return "\n".join([SETUP.blocks["ts"].code, *parts, "client.close();\n"])


def go() -> str:
    """Returns the program in Go; each task is a function."""
    functions = [_function(f"task{at}", task.blocks["go"].code) for at, task in enumerate(TASKS)]
    calls = [
        f'fmt.Println("{MARK}")\nif err := task{at}(ctx, client); err != nil {{\nreturn err\n}}\n'
        for at in range(len(TASKS))
    ]
    return "\n".join([SETUP.blocks["go"].code, *functions, _function("run", "".join(calls))])


def _function(name: str, body: str) -> str:
    end = "" if re.search(r"^return .*\n\Z", body, re.MULTILINE) else "\treturn nil\n"
    return (
        f"func {name}(ctx context.Context, client *artificer.Client) error {{\n{textwrap.indent(body, chr(9))}{end}}}\n"
    )


def outputs(printed: str) -> list[str]:
    """Returns what each task of a program printed."""
    return [part.strip() for part in printed.split(MARK)[1:]]
