"""The formats of documents: names, media types, extensions, and which of them are archives or other binaries.

Pure. The names are Pandoc's.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Format(NamedTuple):
    """A format of documents."""

    name: str
    description: str
    media_type: str
    extensions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    binary: bool = False
    reads: bool = True
    writes: bool = True

    @property
    def content_type(self) -> str:
        """The media type with the encoding of a text."""
        return f"{self.media_type}; charset=utf-8" if self.media_type.startswith("text/") else self.media_type


_OFFICE = "application/vnd.openxmlformats-officedocument."
_FORMATS = (
    Format("docx", "Word document", f"{_OFFICE}wordprocessingml.document", ("docx",), (), True),
    Format("odt", "OpenDocument text", "application/vnd.oasis.opendocument.text", ("odt",), (), True),
    Format("epub", "EPUB book", "application/epub+zip", ("epub",), (), True),
    Format("pptx", "PowerPoint presentation", f"{_OFFICE}presentationml.presentation", ("pptx",), (), True),
    Format("xlsx", "Excel workbook", f"{_OFFICE}spreadsheetml.sheet", ("xlsx",), (), True, True, False),
    Format("html", "HTML", "text/html", ("html", "htm", "xhtml"), ("htm", "xhtml")),
    Format("gfm", "GitHub-Flavored Markdown", "text/markdown", ("md",), ("md",)),
    Format("markdown", "Pandoc's Markdown", "text/markdown", ("md", "markdown"), ()),
    Format("commonmark", "CommonMark", "text/markdown", ("md",), ()),
    Format("plain", "plain text", "text/plain", ("txt",), ("txt", "text"), False, False, True),
    Format("rst", "reStructuredText", "text/x-rst", ("rst",), ()),
    Format("asciidoc", "AsciiDoc", "text/asciidoc", ("adoc", "asciidoc"), ("adoc",)),
    Format("org", "Emacs Org mode", "text/x-org", ("org",), ()),
    Format("latex", "LaTeX", "application/x-latex", ("tex", "latex"), ("tex",)),
    Format("typst", "Typst", "text/x-typst", ("typ",), ("typ",)),
    Format("rtf", "Rich Text Format", "application/rtf", ("rtf",), ()),
    Format("csv", "comma-separated values", "text/csv", ("csv",), (), False, True, False),
    Format("tsv", "tab-separated values", "text/tab-separated-values", ("tsv",), (), False, True, False),
    Format("ipynb", "Jupyter notebook", "application/x-ipynb+json", ("ipynb",), ()),
    Format("docbook", "DocBook", "application/docbook+xml", ("dbk", "docbook"), ()),
    Format("jats", "JATS, articles of journals", "application/jats+xml", ("jats",), ()),
    Format("fb2", "FictionBook 2", "application/x-fictionbook+xml", ("fb2",), ()),
    Format("opml", "OPML outline", "text/x-opml", ("opml",), ()),
    Format("mediawiki", "MediaWiki markup", "text/x-mediawiki", ("wiki", "mediawiki"), ("wiki",)),
    Format("textile", "Textile", "text/x-textile", ("textile",), ()),
    Format("man", "manual page", "text/troff", ("man",), ()),
    Format("bibtex", "BibTeX bibliography", "application/x-bibtex", ("bib",), ("bib",), False, True, False),
    Format("json", "Pandoc's document tree", "application/json", ("json",), ()),
)
# What else clients call these types.
_MEDIA_ALIASES = {
    "application/xhtml+xml": "html",
    "text/x-markdown": "markdown",
    "text/prs.fallenstein.rst": "rst",
    "text/rst": "rst",
    "text/x-tex": "latex",
    "application/x-tex": "latex",
    "text/x-latex": "latex",
    "text/rtf": "rtf",
    "application/csv": "csv",
    "text/x-csv": "csv",
    "text/org": "org",
    "text/x-asciidoc": "asciidoc",
}
# Types that say nothing about the format; application/x-www-form-urlencoded is curl's default with --data-binary.
UNKNOWN_TYPES = frozenset(
    {"", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain", "application/xml", "text/xml"}
    | {"application/json", "application/zip", "*/*"}
)
_NAME = re.compile(r"([a-z0-9_]{1,32})((?:[+-][a-z_]{1,48}){0,32})", re.ASCII)

INPUTS = {one.name: one for one in _FORMATS if one.reads}
OUTPUTS = {one.name: one for one in _FORMATS if one.writes}
# Of Markdown, the reader that understands the most and the writer that most programs understand.
_INPUT_NAMES = {alias: one.name for one in INPUTS.values() for alias in one.aliases} | {"md": "markdown"}
_OUTPUT_NAMES = {alias: one.name for one in OUTPUTS.values() for alias in one.aliases}
_INPUT_TYPES = {one.media_type: one.name for one in reversed(INPUTS.values())} | {"text/markdown": "markdown"}
_OUTPUT_TYPES = {one.media_type: one.name for one in reversed(OUTPUTS.values())}
_EXTENSIONS = {end: one.name for one in reversed(INPUTS.values()) for end in one.extensions} | {"md": "markdown"}


class Chosen(NamedTuple):
    """A format with Pandoc's extensions, such as "-raw_html"."""

    format: Format
    extensions: str

    @property
    def text(self) -> str:
        """The name for Pandoc."""
        return self.format.name + self.extensions


def input_named(text: str) -> Chosen | None:
    """Returns the input format of a name, an alias, or either with extensions."""
    return _named(text, INPUTS, _INPUT_NAMES)


def output_named(text: str) -> Chosen | None:
    """Returns the output format of a name, an alias, or either with extensions."""
    return _named(text, OUTPUTS, _OUTPUT_NAMES)


def input_of_type(media_type: str) -> Format | None:
    """Returns the input format of a media type without parameters."""
    name = _INPUT_TYPES.get(media_type) or _MEDIA_ALIASES.get(media_type)
    return INPUTS[name] if name else None


def output_of_type(media_type: str) -> Format | None:
    """Returns the output format of a media type without parameters."""
    name = _OUTPUT_TYPES.get(media_type) or _MEDIA_ALIASES.get(media_type)
    return OUTPUTS.get(name) if name else None


def input_of_file(filename: str) -> Format | None:
    """Returns the input format of a file's extension."""
    _, dot, end = filename.rpartition(".")
    name = _EXTENSIONS.get(end.lower()) if dot else None
    return INPUTS[name] if name else None


def aliases(one: Format, *, reads: bool) -> list[str]:
    """Returns the other names of a format, as an input or as an output."""
    names = _INPUT_NAMES if reads else _OUTPUT_NAMES
    return [alias for alias, name in names.items() if name == one.name]


def _named(text: str, known: dict[str, Format], other: dict[str, str]) -> Chosen | None:
    match = _NAME.fullmatch(text.strip().lower())
    if match is None:
        return None
    found = known.get(other.get(match[1], match[1]))
    return Chosen(found, match[2]) if found else None
