"""Writes every setting's name, type, default and meaning into docs/settings.md, from the models themselves.

It knows the two forms of settings, the gateway's pydantic models and the services' dataclasses, and no single setting.
With `--check` it writes nothing and fails if the page is stale.
"""

from __future__ import annotations

import ast
import inspect
import io
import itertools
import re
import sys
import tokenize
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from diptych.settings import Settings
from diptych.settings.table import may_be_none

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"
BEGIN = "<!-- From here on codegen/settings_docs.py writes: `make generate`. -->"
END = "<!-- Up to here codegen/settings_docs.py writes. -->"

_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


class Undocumented(Exception):
    """A setting has no description; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting as the page shows it; `name` is dotted, as in `--set`."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The settings of one table."""

    heading: str
    text: str
    rows: tuple[Row, ...]


# The gateway's own: pydantic models, whose fields have docstrings.


def gateway_sections() -> Iterator[Section]:
    """Yields the gateway's settings, one section per table. Raises `Undocumented`."""
    below = []
    for kind, fields in _by_class(Settings):
        heading = "The gateway" if kind is Settings else inspect.cleandoc(kind.__doc__ or "").partition(".")[0]
        yield Section(heading=heading, text="", rows=_rows(kind, fields, ""))
        below += [found for name, field in fields.items() for found in _tables(field.annotation, name)]
    for place, model in below:
        yield from _model(model, place)


def _by_class(model: type[BaseModel]) -> Iterator[tuple[type[BaseModel], dict[str, FieldInfo]]]:
    """Yields the fields by the class that defines them, the model's own first."""
    left = dict(model.model_fields)
    for kind in model.__mro__:
        own = {name: left.pop(name) for name in inspect.get_annotations(kind) if name in left}
        if own and issubclass(kind, BaseModel):
            yield kind, own


def _model(model: type[BaseModel], place: str) -> Iterator[Section]:
    text = inspect.cleandoc(model.__doc__ or "")
    yield Section(heading=f"`{place}`", text=text, rows=_rows(model, model.model_fields, f"{place}."))
    for name, field in model.model_fields.items():
        for below, inner in _tables(field.annotation, f"{place}.{name}"):
            yield from _model(inner, below)


def _rows(model: type[BaseModel], fields: Mapping[str, FieldInfo], prefix: str) -> tuple[Row, ...]:
    (source,) = ast.parse(inspect.getsource(model)).body
    body = source.body if isinstance(source, ast.ClassDef) else []
    meanings = {
        ast.unparse(one.target): _docstring(following)
        for one, following in itertools.pairwise([*body, None])
        if isinstance(one, ast.AnnAssign)
    }
    return tuple(_row(prefix + name, field, meanings[name]) for name, field in fields.items())


def _row(name: str, field: FieldInfo, meaning: str) -> Row:
    if not meaning:
        raise Undocumented(name)
    bounds = [
        f"{sign} {getattr(one, attribute):g}"
        for one in field.metadata
        for attribute, sign in _BOUNDS.items()
        if getattr(one, attribute, None) is not None
    ]
    without = ["or `none`"] if may_be_none(field.annotation) and field.default is not None else []
    kind = ", ".join((_kind(field.annotation), *bounds, *without))
    return Row(name=name, kind=kind, default=_default(field), meaning=meaning)


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    return "" if isinstance(value, BaseModel) else _value(value)


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`' if value else "empty"
    if isinstance(value, Mapping | tuple | list):
        return f"`[{', '.join(_value(one).strip('`') for one in value)}]`" if value else "empty"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


def _tables(annotation: Any, name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yields the models within a type, with the name of the table that holds their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield name, annotation
        return
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inside = inside[:1]
    elif origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        name, inside = f"{name}.<name>", inside[1:]
    elif origin is tuple:
        name = f"{name}[]"
    for one in inside:
        yield from _tables(one, name)


_NAMES = {str: "text", int: "whole number", float: "number", bool: "yes or no", Path: "path", SecretStr: "secret"}
_NAMES_OF_OTHERS = {"IPv4Network": "network", "IPv6Network": "network", "datetime": "time", "AwareDatetime": "time"}


def _kind(annotation: Any) -> str:
    if annotation is None or annotation is type(None):
        return "none"
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inside[0])
    if origin is Literal:
        return " · ".join(f"`{one}`" for one in inside)
    if origin in (Union, types.UnionType):
        kinds = dict.fromkeys(_kind(one) for one in inside if one is not type(None))
        return " or ".join(kinds)
    if origin is tuple:
        return "table, repeated" if list(_tables(inside[0], "")) else f"list of {_kind(inside[0])}"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return "tables by name" if list(_tables(inside[1], "")) else f"{_below(inside[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    name = getattr(annotation, "__name__", str(annotation))
    return _NAMES_OF_OTHERS.get(name, "anything" if annotation is Any else name)


def _below(annotation: Any) -> str:
    """Returns the kind of a mapping's values, of which a mapping of anything is a table."""
    kinds = [one for one in get_args(annotation) if get_origin(annotation) in (Union, types.UnionType)] or [annotation]
    return " or ".join("table" if str(_kind(one)).startswith("anything by") else _kind(one) for one in kinds)


# The services' own: dataclasses, whose fields carry comments. Read from the source, so that no service is imported.


def service_sections(folder: Path = ROOT / "services" / "artificer_services") -> Iterator[Section]:
    """Yields the settings of every service that has a `settings.py`. Raises `Undocumented`."""
    shared = _constants(ast.parse((folder / "kit" / "settings.py").read_text(encoding="utf-8")))
    for path in sorted(folder.glob("*/settings.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
                yield _service(path.parent.name, node, source, shared)


def _service(name: str, node: ast.ClassDef, source: str, shared: Mapping[str, object]) -> Section:
    prefix, comments = f"services.{name}.", _comments(source)
    constants = {**shared, **_constants(ast.parse(source))}
    rows = [
        _service_row(prefix, one, following, comments, constants)
        for one, following in zip(node.body, [*node.body[1:], None], strict=True)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    text = (ast.get_docstring(node) or "").partition("\n")[0].partition(". Raises")[0].rstrip(".") + "."
    return Section(heading=f"`{prefix[:-1]}`", text=text, rows=tuple(rows))


def _service_row(
    prefix: str,
    field: ast.AnnAssign,
    following: ast.stmt | None,
    comments: Mapping[int, tuple[bool, str]],
    constants: Mapping[str, object],
) -> Row:
    name = prefix + ast.unparse(field.target)
    meaning = _docstring(following) or _comment(field, comments)
    if not meaning:
        raise Undocumented(name)
    value = "required" if field.value is None else _value(_evaluated(field.value, constants))
    return Row(name=name, kind=_source_kind(field.annotation), default=value, meaning=_sentence(meaning))


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


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


# The page.


def tables() -> str:
    """Returns every setting as Markdown."""
    return "\n".join(_shown(section) for section in (*gateway_sections(), *service_sections()))


def _shown(section: Section) -> str:
    lines = [f"### {section.heading}", ""]
    if section.text:
        lines += [section.text, ""]
    lines += ["| setting | takes | default | meaning |", "|---|---|---|---|"]
    lines += [
        "| " + " | ".join(_cell(text) for text in (f"`{row.name}`", row.kind, row.default, row.meaning)) + " |"
        for row in section.rows
    ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def page(old: str) -> str:
    """Returns the page with new tables and its other text. Raises ValueError if the marks are missing."""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the marks around the tables of settings")
    return f"{before}{begin}\n\n{tables()}\n{end}{after}"


def main(arguments: list[str]) -> int:
    old = PAGE.read_text(encoding="utf-8")
    try:
        new = page(old)
    except Undocumented as error:
        print(f"settings_docs: {error} has no docstring and no comment that says what it means")
        return 1
    if "--check" in arguments:
        if new != old:
            print("docs/settings.md is stale: run make generate and commit")
        return int(new != old)
    if new != old:
        PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
