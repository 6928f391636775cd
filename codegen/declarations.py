"""The exports of a TypeScript package as text, read from the declarations that the compiler wrote (`.d.ts`).

The text lists what each entry point exports, then the declarations of these exports, and of what they refer to within
the package. Comments and generated modules are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_COMMENT = re.compile(r"^ *(?:/\*.*?\*/|//[^\n]*)\n?", re.MULTILINE | re.DOTALL)
_STATEMENT = re.compile(r"^(?=(?:import|export|declare|type|interface)\b)", re.MULTILINE)
_IMPORT = re.compile(r'import (?:type )?(?:\{(?P<names>.*)\}|\* as \w+) from "(?P<source>.*)";')
_EXPORT = re.compile(r'export (?P<type>type )?(?:\*|\{(?P<names>.*)\})(?: from "(?P<source>.*)")?;')
_DECLARATION = re.compile(
    r"(?P<export>export )?(?:declare )?(?:abstract )?(?:function|const|let|class|interface|type|enum) (?P<name>[\w$]+)"
)
# A word that may name a type or a value: no string, no member of something, no name of a field or parameter.
_REFERENCE = re.compile(r"(?<![\"\w$.])[A-Za-z_$][\w$]*(?![\"\w$]|\??:)")
_EXPORTED = re.compile(r'^(?P<entry>\S+): (?:type )?(?P<name>[\w$]+) from "', re.MULTILINE)
_MEMBER = re.compile(r"^ {4}(?:(?:readonly|static|get|set) )*(?P<name>[\w$]+)\??[:(<]", re.MULTILINE)

Place = tuple[str, str]  # the module, such as `./errors.js` or `@connectrpc/connect`, and the name there


@dataclass(frozen=True)
class _Module:
    declared: dict[str, str]
    imported: dict[str, Place]
    exported: dict[str, tuple[Place, str]]  # with `type ` if only the type is exported


def api(folder: Path, entries: Mapping[str, str]) -> str:
    """Returns the exports of the entry points: `entries` has their modules, such as `./index.js`, by public name.

    `folder` has the declarations. Raises ValueError for a statement that this reader does not know.
    """
    modules = {f"./{path.name.removesuffix('.d.ts')}.js": path for path in folder.glob("*.d.ts")}
    read = {name: _read(path, name, modules) for name, path in modules.items()}
    lines, wanted = [], list[Place]()
    for entry, module in entries.items():
        for name, ((source, inner), kind) in sorted(read[module].exported.items()):
            lines.append(f'{entry}: {kind}{name} from "{source}"{"" if inner == name else f" as {inner}"}\n')
            wanted.append((source, inner))
    return "".join(lines) + "".join(f"\n{text}" for _, text in sorted(_declarations(wanted, read)))


def names(text: str) -> set[str]:
    """Returns the names of such a text: `ENTRY NAME` for each export, and `NAME.MEMBER` for each of its members."""
    exports = {(found["entry"], found["name"]) for found in _EXPORTED.finditer(text)}
    return {" ".join(one) for one in exports} | {
        f"{found['name']}.{member['name']}"
        for statement in _STATEMENT.split(text)
        if (found := _DECLARATION.match(statement)) and any(found["name"] == name for _, name in exports)
        for member in _MEMBER.finditer(statement)
    }


def _read(path: Path, module: str, modules: Mapping[str, Path]) -> _Module:
    """Reads a module. An import that binds no name, and `export *` of another package, are among what is refused."""
    found = _Module({}, {}, {})
    for statement in filter(str.strip, _STATEMENT.split(_COMMENT.sub("", path.read_text(encoding="utf-8")))):
        if match := _DECLARATION.match(statement):
            name = match["name"]
            found.declared[name] = found.declared.get(name, "") + statement.rstrip() + "\n"
            if match["export"]:
                found.exported[name] = ((module, name), "")
        elif match := _IMPORT.match(statement):
            found.imported.update({name: (match["source"], inner) for name, inner, _ in _listed(match["names"] or "")})
        elif (match := _EXPORT.match(statement)) and (match["names"] is not None or match["source"] in modules):
            source = match["source"] or module
            if match["names"] is None:
                found.exported.update(_read(modules[source], source, modules).exported)
            for name, inner, kind in _listed(match["names"] or ""):
                found.exported[name] = ((source, inner), match["type"] or kind)
        else:
            raise ValueError(f"{path.name}: codegen/declarations.py cannot read this statement: {statement}")
    return found


def _listed(listed: str) -> Iterator[tuple[str, str, str]]:
    """Yields the name, the name in the other module, and `type ` or nothing, of each name between braces."""
    for one in filter(None, map(str.strip, listed.split(","))):
        inner, _, name = one.removeprefix("type ").partition(" as ")
        yield name or inner, inner, "type " if one.startswith("type ") else ""


def _declarations(wanted: list[Place], modules: Mapping[str, _Module]) -> Iterator[tuple[Place, str]]:
    """Yields the declarations of these places and of all that they refer to, each once."""
    seen, open_ = set[Place](), list(wanted)
    while open_:
        place = open_.pop()
        module = modules.get(place[0])
        if place in seen or module is None:  # of another package, or generated
            continue
        seen.add(place)
        if place[1] not in module.declared:
            open_.append(module.imported[place[1]] if place[1] in module.imported else module.exported[place[1]][0])
            continue
        text = module.declared[place[1]]
        yield place, text
        for word in _REFERENCE.findall(text):
            if word in module.declared:
                open_.append((place[0], word))
            elif word in module.imported:
                open_.append(module.imported[word])
