"""The program of one conversion: inspects the document, gives up what Pandoc does not need, and becomes Pandoc.

Started by `process` with the document at descriptor 0, and memory files for the converted document (1) and for
messages (2). Parses clients' bytes, which the server itself does not.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from ..kit.processes import die_with_the_server
from . import archive, detect
from .errors import BadDocument, TooLarge, Unexpected, WorkError, to_wire
from .formats import Chosen, Format, output_named
from .sandbox import close_network, limit_resources

REFUSED = 120  # the exit status if messages are an error as JSON; Pandoc's own are below 100, and 251
_FOLDER = Path(__file__).parent
_RTS_BYTES = 512 * 1024**2  # of private memory beyond the heap
_PICTURES = frozenset({"docx", "odt", "epub", "pptx", "fb2", "ipynb", "html"})  # inputs with pictures inside
_FETCHING = frozenset({"pptx", "ipynb"})  # outputs of which Pandoc makes nothing if a linked picture cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to convert, and the limits. Crosses to the launcher as JSON."""

    pandoc: str
    to: str
    input_format: str
    content_type: str
    filename: str
    standalone: bool
    media: str  # "embed", "omit", or "" for the default
    seconds: float
    memory_bytes: int
    output_bytes: int
    unpacked_bytes: int

    def pack(self) -> str:
        """Returns the task as text."""
        return json.dumps(asdict(self))


def main(text: str, life_fd: int) -> None:
    """Convert one document: replaces this process by Pandoc, or exits."""
    die_with_the_server(life_fd)
    try:
        _become_pandoc(Task(**json.loads(text)))
    except WorkError as error:
        _refuse(error)
    except MemoryError:
        _refuse(TooLarge("the document needs more memory than the server allows", "data"))
    except Exception:  # whose status would be taken for one of Pandoc's
        _refuse(Unexpected(traceback.format_exc()))


def _become_pandoc(task: Task) -> None:
    """Replace this process by Pandoc. Raises WorkError, and OSError if Pandoc cannot be run."""
    limit_resources(
        seconds=math.ceil(task.seconds) + 1,
        output_bytes=task.output_bytes,
        memory_bytes=task.memory_bytes + _RTS_BYTES if task.memory_bytes else 0,
    )
    with open(0, "rb", closefd=False) as file:
        chosen = prepare(file, task)
    close_network()
    os.chdir("/")
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and programs that it starts would too
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Without a home, so that no operator's data folder, defaults or styles have a part in it.
    os.execve(task.pandoc, arguments(task, chosen), {"LANG": "C.UTF-8", "HOME": "/nonexistent"})  # noqa: S606


def prepare(file: BinaryIO, task: Task) -> Chosen:
    """Returns the document's format, with the document at descriptor 0 in UTF-8. Raises WorkError."""
    size = os.fstat(0).st_size
    head = file.read(4096)
    if not head.strip():
        raise BadDocument("the document is empty", "data")
    binary = head.startswith(detect.ZIP)
    if binary:
        found = detect.container_of(*archive.inspect(file, size, task.unpacked_bytes))
    else:
        found = detect.sniff(head, task.content_type)
    chosen = detect.choose(
        found, binary=binary, asked=task.input_format, content_type=task.content_type, filename=task.filename
    )
    os.lseek(0, 0, os.SEEK_SET)
    if not chosen.format.binary:
        file.seek(0)
        converted = detect.decoded(file.read(), task.content_type)
        if converted is not None:
            if len(converted) > task.output_bytes:  # which the kernel enforces
                raise TooLarge(f"the document has more than {task.output_bytes:,} bytes in UTF-8, the limit", "data")
            os.ftruncate(0, 0)
            os.lseek(0, 0, os.SEEK_SET)
            with open(0, "wb", closefd=False) as rewritten:
                rewritten.write(converted)
        os.lseek(0, 0, os.SEEK_SET)
    return chosen


def arguments(task: Task, source: Chosen) -> list[str]:
    """Returns Pandoc's command line."""
    target = output_named(task.to)
    assert target is not None  # noqa: S101 -- the engine has checked it
    line = ["pandoc", "--sandbox", "--quiet", f"--from={source.text}", f"--to={target.text}", "--output=-"]
    if task.standalone:
        line.append("--standalone")
    if target.format.name == "html":
        line += ["--mathml", f"--variable=pagetitle:{_title(task.filename)}"]
    if source.format.name in _PICTURES and not target.format.binary:
        line.append(f"--lua-filter={_FOLDER / _media(task.media, target.format)}")
    if target.format.name in _FETCHING:
        line.append(f"--lua-filter={_FOLDER / 'media_linked.lua'}")
    if task.memory_bytes:
        line += ["+RTS", f"-M{task.memory_bytes}", "-RTS"]
    return line


def _media(asked: str, target: Format) -> str:
    return f"media_{asked or ('embed' if target.name == 'html' else 'omit')}.lua"


def _title(filename: str) -> str:
    stem = filename.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    return "".join(one for one in stem if one.isprintable())[:100] or "document"


def _refuse(error: WorkError) -> None:
    os.write(2, json.dumps(to_wire(error)).encode())
    os._exit(REFUSED)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
