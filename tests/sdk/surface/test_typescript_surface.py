"""What users of the TypeScript package can depend on: the declarations of what its entry points export."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from codegen import declarations, npm, typescript
from tests.sdk.surface import changelog

pytestmark = pytest.mark.skipif(
    os.environ.get("TESTS_CLIENTS") != "required" and not npm.is_possible(), reason="the package needs Node and npm"
)
ENTRIES = ("@artificer/client", "@artificer/client/node", "@artificer/client/grpc-js")
KEYS = f"""
const modules = await Promise.all({list(ENTRIES)}.map((name) => import(name)));
console.log(JSON.stringify(modules.map((one) => Object.keys(one))));
"""


@pytest.fixture(scope="module", autouse=True)
def package() -> None:
    """Compiles the package."""
    typescript.compile_all()


def test_the_snapshot_is_the_code() -> None:
    """`make surface` renews it; the diff then shows what changes for users."""
    written = typescript.SNAPSHOT.read_text(encoding="utf-8").splitlines()
    assert typescript.surface().splitlines() == written, (
        "run `make surface`, look at what changes for users, and name in CHANGELOG.md what is removed"
    )


def test_the_changelog_names_what_is_removed() -> None:
    removed = changelog.removed(typescript.SNAPSHOT, declarations.names)
    unnamed = [name for name in removed if f"`{name.split()[-1]}`" not in changelog.news()]
    assert unnamed == [], "name these in the newest section of CHANGELOG.md, in backticks"


def test_the_snapshot_has_every_value_that_the_entry_points_export() -> None:
    keys = json.loads(npm.run("node", "--input-type=module", "--eval", KEYS, folder=typescript.PACKAGE))
    values = {f"{entry} {key}" for entry, found in zip(ENTRIES, keys, strict=True) for key in found}
    names = declarations.names(typescript.surface())
    assert values
    assert values - names == set()
    assert {name.split()[0] for name in names if " " in name} == set(ENTRIES)


@pytest.mark.parametrize(
    ("file", "line", "lost"),
    [
        (
            "shared.d.ts",
            'export { paginate, type Item } from "./paginate.js";\n',
            {f"{entry} {name}" for entry in ENTRIES[:2] for name in ("paginate", "Item")}
            | {"paginate.nextPageToken", "paginate.pageToken"},
        ),
        ("node.d.ts", '    transport?: "grpc" | "connect" | "grpc-web" | undefined;\n', {"NodeOptions.transport"}),
        ("grpc_js_service.d.ts", "    unary: Unary<I, O>;\n", set()),
    ],
)
def test_a_removed_declaration_is_seen(file: str, line: str, lost: set[str], tmp_path: Path) -> None:
    folder = shutil.copytree(typescript.PACKAGE / "dist", tmp_path / "dist")
    entries = dict(zip(ENTRIES, ("./index.js", "./node.js", "./grpc_js.js"), strict=True))
    before = declarations.api(folder, entries)
    text = (folder / file).read_text(encoding="utf-8")
    assert line in text
    (folder / file).write_text(text.replace(line, ""), encoding="utf-8")
    after = declarations.api(folder, entries)
    assert after != before
    assert declarations.names(before) - declarations.names(after) == lost


def test_a_statement_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.d.ts").write_text('export * as all from "./other.js";\n')
    with pytest.raises(ValueError, match=r"index\.d\.ts: .* cannot read this statement: export \* as all"):
        declarations.api(tmp_path, {"package": "./index.js"})
