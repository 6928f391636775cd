"""file: URIs: what is below the configured folders is read, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artificer_services.ai.reading.settings import ReadingSettings
from artificer_services.ai.reading.sources import Sources
from artificer_services.kit.errors import Invalid, NotFound


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "a b.txt").write_text("inside")
    (folder / "deep" / "c.md").write_text("# deep")
    (tmp_path / "docs-secret").mkdir()
    (tmp_path / "docs-secret" / "key").write_text("secret")
    (folder / "out").symlink_to(tmp_path / "docs-secret")
    (folder / "key").symlink_to(tmp_path / "docs-secret" / "key")
    (folder / "in").symlink_to(folder / "deep")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    return folder


def sources(*roots: object, limit: int = 100) -> Sources:
    return Sources(ReadingSettings(roots=tuple(map(str, roots)), max_asset_bytes=limit))


async def test_files_below_a_root_are_read(root: Path) -> None:
    found = await sources("/nowhere", root).uri(f"file://{root}/a%20b.txt")
    assert (found.data, found.filename) == (b"inside", "a b.txt")
    assert (await sources(root).uri(f"FILE://localhost{root}/in/c.md")).data == b"# deep"  # a link within the root


async def test_a_root_may_be_a_link(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    assert (await sources(link).uri(f"file://{link}/deep/c.md")).data == b"# deep"


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("file:///etc/passwd", "is not below one of the folders"),
        ("file://{root}", "is not below one of the folders"),
        ("file://{root}-secret/key", "is not below one of the folders"),  # a prefix of the text is no folder
        ("file://{root}/out/key", "is not below one of the folders"),
        ("file://{root}/key", "is not below one of the folders"),
        ("file://{root}/../docs-secret/key", "without .."),
        ("file://{root}/%2e%2e/docs-secret/key", "without .."),
        ("file://{root}/deep", "a regular file"),
        ("file://{root}/pipe", "a regular file"),
        ("file://{root}/a%00.txt", "absolute"),
        ("file://{root}/a%ff.txt", "no valid URI"),
        ("file:a.txt", "absolute"),
        ("file://other.example{root}/a", "no host"),
        ("file://[{root}/a", "no valid URI"),
        ("file://{root}/a?x", "no host, query"),
        ("ftp://example.com/a", "file: or https:"),
        ("a.txt", "file: or https:"),
        ("", "file: or https:"),
        ("file://{root}/a\nb", "control characters"),
        ("file:///" + "a" * 2048, "at most 2048"),
    ],
)
async def test_nothing_else_is(root: Path, uri: str, text: str) -> None:
    with pytest.raises(Invalid) as error:
        await sources(root).uri(uri.replace("{root}", str(root)))
    assert error.value.faults[0].field == "uri"
    assert text in error.value.message


@pytest.mark.parametrize("name", ["missing", "loop", "deep/c.md/x"])
async def test_what_is_missing_is_not_found(root: Path, name: str) -> None:
    with pytest.raises(NotFound):
        await sources(root).uri(f"file://{root}/{name}")


async def test_a_file_larger_than_the_limit_is_refused(root: Path) -> None:
    (root / "large").write_bytes(b"x" * 101)
    with pytest.raises(Invalid, match="larger than 100 bytes"):
        await sources(root).uri(f"file://{root}/large")
    assert len((await sources(root, limit=101).uri(f"file://{root}/large")).data) == 101


async def test_without_settings_the_error_names_the_setting() -> None:
    with pytest.raises(Invalid, match=r"services\.ai\.reading\.roots"):
        await sources().uri("file:///etc/passwd")
    with pytest.raises(Invalid, match=r"services\.ai\.reading\.hosts"):
        await sources().uri("https://example.com/a")
    with pytest.raises(Invalid, match="no batch service"):
        await sources().blob("0" * 64)
