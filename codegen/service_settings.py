"""Reads the settings of services from their source, so that no service is imported.

They are dataclasses whose fields carry comments. A field may be a table itself, a mapping of tables by name, or a union
of several kinds of tables; each gets a section of its own.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .settings_rows import Row, Section, Undocumented, docstring, shown_value

ROOT = Path(__file__).parents[1]


class Source:
    """One module with settings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_text(encoding="utf-8")
        module = ast.parse(text)
        self.comments = _comments(text)
        self.constants = _constants(module)
        self.classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
        self.aliases = {
            node.targets[0].id: node.value
            for node in module.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        self.imports = {
            alias.asname or alias.name: (self.path.parents[node.level - 1], node.module)
            for node in module.body
            if isinstance(node, ast.ImportFrom) and node.level and node.module
            for alias in node.names
        }

    def where(self, name: str) -> Source | None:
        """Returns the module that defines a name, this one or one that it imports from; None if neither is known."""
        if name in self.classes or name in self.aliases:
            return self
        if name in self.imports:
            folder, module = self.imports[name]
            path = folder.joinpath(*module.split(".")).with_suffix(".py")
            if path.is_file():
                return Source(path).where(name)
        return None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a dataclass, and the module that it stands in."""

    source: Source
    node: ast.AnnAssign
    following: ast.stmt | None


@dataclass(frozen=True, slots=True)
class Table:
    """A dataclass at a place: `below` is what follows the field's name, such as `.<name>`."""

    below: str
    source: Source
    node: ast.ClassDef


def service_sections(folder: Path = ROOT / "services" / "artificer_services") -> Iterator[Section]:
    """Yields the settings of every service that has a `settings.py`. Raises `Undocumented`."""
    shared = Source(folder / "kit" / "settings.py").constants
    for path in sorted(folder.glob("*/settings.py")):
        source = Source(path)
        for node in source.classes.values():
            if node.name.endswith("Settings"):
                place = f"services.{path.parent.name}"
                # Tables of several kinds may have the same table in them, which is shown once.
                sections = _sections(place, f"`{place}`", Table("", source, node), shared)
                yield from {section.heading: section for section in sections}.values()


def _sections(place: str, heading: str, table: Table, shared: Mapping[str, object]) -> Iterator[Section]:
    """Yields the section of a table, then those of the tables in it."""
    found = _fields(table.source, table.node)
    rows = tuple(_row(f"{place}.{name}", field, shared) for name, field in found.items())
    text = (ast.get_docstring(table.node) or "").partition("\n")[0].partition(". Raises")[0].rstrip(".") + "."
    yield Section(heading=heading, text=text, rows=rows)
    for name, field in found.items():
        below = list(_tables(field.source, field.node.annotation))
        for one in below:
            inner = f"{place}.{name}{one.below}"
            kind = _kind_of(one) if len(below) > 1 else ""
            yield from _sections(inner, f"`{inner}`{kind}", one, shared)


def _fields(source: Source, node: ast.ClassDef) -> dict[str, Field]:
    """Returns the fields of a dataclass by name: those of its bases first, as dataclasses have them."""
    found: dict[str, Field] = {}
    for base in reversed(node.bases):
        if isinstance(base, ast.Name) and (where := source.where(base.id)) and base.id in where.classes:
            found |= _fields(where, where.classes[base.id])
    for one, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            found[one.target.id] = Field(source, one, following)
    return found


def _tables(source: Source, node: ast.expr) -> Iterator[Table]:
    """Yields the tables in an annotation."""
    match node:
        case ast.Name(id=name) if where := source.where(name):
            if name in where.classes:
                yield Table("", where, where.classes[name])
            else:
                yield from _tables(where, where.aliases[name])
        case ast.Subscript(value=ast.Name(id="Mapping" | "dict"), slice=ast.Tuple(elts=[_, inside])):
            yield from (Table(f".<name>{one.below}", one.source, one.node) for one in _tables(source, inside))
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[inside, *_])):
            yield from (Table(f"[]{one.below}", one.source, one.node) for one in _tables(source, inside))
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inside, *_])):
            yield from _tables(source, inside)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _tables(source, left)
            yield from _tables(source, right)


def _kind_of(table: Table) -> str:
    """Returns what tells a table from the others of its union: the setting that may have one value only."""
    for name, field in _fields(table.source, table.node).items():
        match field.node.annotation:
            case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Constant(value=value)):
                return f" with `{name} = {shown_value(value).strip('`')}`"
    return ""


def _row(name: str, field: Field, shared: Mapping[str, object]) -> Row:
    meaning = docstring(field.following) or _comment(field.node, field.source.comments)
    if not meaning:
        raise Undocumented(name)
    constants, node = {**shared, **field.source.constants}, field.node
    tables = list(_tables(field.source, node.annotation))
    shown = "" if tables or node.value is None else shown_value(_evaluated(node.value, constants))
    value = "required" if node.value is None else shown
    if tables:
        kind = {"": "table", "[]": "table, repeated"}.get(tables[0].below, "tables by name")
    else:
        kind = "secret" if _is_secret(node.value) else _source_kind(node.annotation)
    return Row(name=name, kind=kind, default=value, meaning=_sentence(meaning))


def _is_secret(default: ast.expr | None) -> bool:
    """Whether a field's value is left out of the dataclass's repr."""
    match default:
        case ast.Call(func=ast.Name("field"), keywords=keywords):
            return any(one.arg == "repr" and ast.unparse(one.value) == "False" for one in keywords)
    return False


def _comment(field: ast.AnnAssign, comments: Mapping[int, tuple[bool, str]]) -> str:
    """Returns the comment lines above the field and the comment after it."""
    above: list[str] = []
    line = field.lineno - 1
    while line in comments and comments[line][0]:
        above.insert(0, comments[line][1])
        line -= 1
    behind = [comments[line][1] for line in range(field.lineno, (field.end_lineno or 0) + 1) if line in comments]
    return "; ".join(filter(None, (" ".join(above), *behind)))


def _comments(source: str) -> dict[int, tuple[bool, str]]:
    """Returns the comments by line, and whether each is alone on its line."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = re.sub(r"^noqa\S*\s*\S*", "", token.string.lstrip("# "))
            found[token.start[0]] = (not token.line[: token.start[1]].strip(), text.strip())
    return found


def _constants(module: ast.Module) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = _evaluated(node.value, found)
    return found


def _evaluated(node: ast.expr, constants: Mapping[str, object]) -> object:
    """Returns a default's value; an expression that is not plain arithmetic of constants stays as written."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in constants:
            return constants[node.id]
        case ast.Tuple():
            return tuple(_evaluated(one, constants) for one in node.elts)
        case ast.Call(func=ast.Name("field"), keywords=[ast.keyword("default_factory", ast.Name("dict"))]):
            return {}
        case ast.Call(func=ast.Name("field"), keywords=[ast.keyword("default", default), *_]):
            return _evaluated(default, constants)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.BinOp(op=ast.Mult() | ast.Pow()):
            left, right = _evaluated(node.left, constants), _evaluated(node.right, constants)
            if isinstance(left, int | float) and isinstance(right, int | float):
                return left * right if isinstance(node.op, ast.Mult) else left**right
    return ast.unparse(node)


_SOURCE_KINDS = {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no", "Path": "path"}


def _source_kind(node: ast.expr) -> str:
    match node:
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inside):
            members = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            return " · ".join(f"`{ast.literal_eval(one)}`" for one in members)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[first, *_])):
            return f"list of {_source_kind(first)}"
        case ast.Subscript(value=ast.Name(id="dict")):
            return "table"
        case ast.BinOp(left=left, op=ast.BitOr()):
            return _source_kind(left)
    text = ast.unparse(node)
    return _SOURCE_KINDS.get(text, text)


def _sentence(text: str) -> str:
    first = text.split(" ", 1)[0].rstrip(":,;")
    # A value or a name at the beginning of a comment keeps its case.
    keep = not first.isalpha() or first in ("auto", "postgresql", "redis") or not first.islower()
    whole = text if keep else text[0].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else whole + "."
