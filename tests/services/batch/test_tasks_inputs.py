"""Inputs: paths below the root, data URIs, blobs; and everything that is refused."""

from __future__ import annotations

import base64
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.tasks.api import Rejected
from artificer_services.batch.tasks.inputs import Documents, check_input

BLOB = "ab" * 32


def no_blob(blob_id: str) -> tuple[bytes, str]:
    raise KeyError(blob_id)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with files and with attacks, and a secret outside of it."""
    folder = tmp_path / "root"
    (folder / "in" / "deep").mkdir(parents=True)
    (folder / "in" / "deep" / "a file.txt").write_bytes(b"deep\xff")
    (folder / "top.txt").write_bytes(b"top")
    (folder / "in" / "..odd").write_bytes(b"odd")
    (folder / "big.bin").write_bytes(bytes(2000))
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(b"secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "relative.txt").symlink_to("../secret.txt")
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "inside.txt").symlink_to("top.txt")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def documents(root: Path) -> Documents:
    return Documents({"root": str(root), "max_document_bytes": 1000})


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("top.txt", b"top"),
        ("in/deep/a file.txt", b"deep\xff"),
        ("./in//deep/./a file.txt", b"deep\xff"),
        ("in/..odd", b"odd"),  # two dots that lead nowhere
    ],
)
def test_a_file_below_the_root_is_read(documents: Documents, path: str, data: bytes) -> None:
    assert documents.check(path) is None
    assert documents.read(path, no_blob) == (data, "")


REFUSED = [
    ("../secret.txt", "contains .."),
    ("in/../../secret.txt", "contains .."),
    ("in/deep/../../top.txt", "contains .."),  # it would stay below the root, but no input needs it
    ("..", "contains .."),
    ("/etc/passwd", "absolute path"),
    ("link.txt", "symbolic link"),
    ("relative.txt", "symbolic link"),
    ("linked/secret.txt", "symbolic link"),
    ("inside.txt", "symbolic link"),
    ("loop", "symbolic link"),
    ("pipe", "not a file"),
    ("in", "is a folder"),
    ("in/", "is a folder"),
    (".", "is a folder"),
    ("top.txt/more", "not a folder"),
    ("", "empty"),
    ("top.txt\0.pdf", "character U+0000"),
    ("a/" * 5000 + "b", "too long for a path"),
    ("x" * 300, "too long for a path"),
    ("file:///etc/passwd", "is a URL"),
    ("https://example.org/a.pdf", "is a URL"),
    ("blob:", "64 hexadecimal digits"),
    (f"blob:{BLOB}x", "64 hexadecimal digits"),
    (f"blob:{BLOB.upper()}", "64 hexadecimal digits"),
    ("blob:../../etc/passwd", "64 hexadecimal digits"),
    ("data:text/plain", "malformed"),
    ("data:text;base64,QQ==", "malformed"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED, ids=[text[:24] for text, _ in REFUSED])
def test_unreadable_inputs_are_refused_early_and_late(documents: Documents, text: str, reason: str) -> None:
    said = documents.check(text)
    assert said is not None
    assert reason in said
    with pytest.raises(Rejected, match=re.escape(reason)):
        documents.read(text, no_blob)


def test_a_socket_is_not_a_file(root: Path, documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        assert "not a file" in (documents.check("sock") or "")


def test_a_missing_file_is_retried(documents: Documents) -> None:
    assert documents.check("in/later.pdf") is None
    with pytest.raises(Rejected, match=r"there is no file 'in/later\.pdf'"):
        documents.read("in/later.pdf", no_blob)


def test_without_a_root_paths_are_refused_and_the_setting_named() -> None:
    said = check_input("a.pdf", BatchSettings())
    assert said is not None
    assert "services.batch.tasks.root" in said
    assert check_input(f"blob:{BLOB}", BatchSettings()) is None
    assert check_input("data:,x", BatchSettings()) is None


def test_the_root_itself_may_be_a_symbolic_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert Documents({"root": str(tmp_path / "alias")}).read("top.txt", no_blob)[0] == b"top"


def test_a_file_replaced_by_a_link_after_the_check_is_refused(root: Path, documents: Documents) -> None:
    assert documents.check("in/deep/a file.txt") is None
    (root / "in").rename(root / "was")
    (root / "in").symlink_to(root / "was")
    with pytest.raises(Rejected, match="symbolic link"):
        documents.read("in/deep/a file.txt", no_blob)


def test_every_form_has_the_same_limit(documents: Documents) -> None:
    large = bytes(1001)
    for text in ("big.bin", f"blob:{BLOB}", "data:;base64," + base64.b64encode(large).decode(), "data:," + "a" * 1001):
        with pytest.raises(Rejected, match="1,000 bytes"):
            documents.read(text, lambda _: (large, ""))
    assert "1,000 bytes" in (documents.check("data:;base64," + "A" * 100_000) or "")


def test_a_blob_has_its_media_type(documents: Documents) -> None:
    assert documents.read(f"blob:{BLOB}", lambda blob_id: (blob_id.encode(), "image/png")) == (
        BLOB.encode(),
        "image/png",
    )
    with pytest.raises(Rejected, match=f"there is no blob {BLOB}"):
        documents.read(f"blob:{BLOB}", no_blob)


@pytest.mark.parametrize(
    ("uri", "data", "kind"),
    [
        ("data:,A%20brief%20note", b"A brief note", "text/plain"),  # RFC 2397, section 4
        ("data:text/plain;charset=iso-8859-7,%be%fg%be", b"\xbe%fg\xbe", "text/plain;charset=iso-8859-7"),
        ("data:application/pdf;base64,JVBERg==", b"%PDF", "application/pdf"),
        ("DATA:Image/PNG;BASE64,QQ%3D%3D", b"A", "image/png"),
        ("data:;base64,QU JD\nRA==", b"ABCD", "text/plain"),  # white space, as from a wrapped mail
        ('data:text/plain;name="a,b;c";base64,QQ==', b"A", 'text/plain;name="a,b;c"'),
        ("data:,", b"", "text/plain"),
    ],
)
def test_data_uris_are_read(documents: Documents, uri: str, data: bytes, kind: str) -> None:
    assert documents.check(uri) is None
    assert documents.read(uri, no_blob) == (data, kind)


@pytest.mark.parametrize("uri", ["data:;base64,QQ", "data:;base64,Q!==", "data:;base64,QQ==QQ=="])
def test_broken_base64_is_refused(documents: Documents, uri: str) -> None:
    with pytest.raises(Rejected, match="invalid base64"):
        documents.read(uri, no_blob)


@given(st.binary(max_size=200))
def test_data_uris_round_trip(data: bytes) -> None:
    uri = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    assert Documents({}).read(uri, no_blob) == (data, "application/octet-stream")


@given(st.text(max_size=60))
def test_no_text_makes_the_check_fail(text: str) -> None:
    said = Documents({"root": "/nowhere"}).check(text)
    assert said is None or said


def test_no_descriptor_stays_open(root: Path, documents: Documents) -> None:
    def opened() -> list[str]:
        """Returns open files of the test's folders; other descriptors change independently of this test."""
        names = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        return sorted(name for name in names if Path(name).is_relative_to(root.parent.resolve()))

    before = opened()
    for text in ("top.txt", "big.bin", "link.txt", "linked/secret.txt", "pipe", "in/later.pdf", "in/deep/a file.txt"):
        try:
            documents.read(text, no_blob)
        except Rejected:
            continue
    assert opened() == before


@pytest.mark.parametrize(
    "tasks", [{"root": 5}, {"max_document_bytes": "many"}, {"max_document_bytes": 0}, {"max_document_bytes": None}]
)
def test_invalid_input_settings_are_refused(tasks: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"services\.batch\.tasks\."):
        Documents(tasks)
