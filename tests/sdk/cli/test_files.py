"""What commands write their results to: files, links, devices and pipes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from artificer.cli import files


def test_a_result_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError

    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(RuntimeError):
        files.write(broken(), tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # so that the writer does not wait for a reader
    try:
        files.write([b"a", b"b"], pipe)
        assert os.read(held, 2) == b"ab"
    finally:
        os.close(held)
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    files.write([b"text"], tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"text"


def test_a_folder_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=str(tmp_path)):
        files.write([b"text"], tmp_path)
    assert not list(tmp_path.iterdir())
