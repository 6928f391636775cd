"""The route table as text, one line per binding."""

from __future__ import annotations

from collections.abc import Sequence

from ..methods import Method
from ..rules import Binding

_HEADING = ("VERB", "TEMPLATE", "METHOD", "BODY", "RESPONSE_BODY")


def routes(bindings: Sequence[tuple[Method, Binding]], *, plain: bool) -> str:
    """Returns verb, template, method, body and response_body, "-" for none. `plain`: tab-separated, no heading."""
    rows = [
        (
            binding.verb,
            str(binding.template),
            method.path,
            binding.body_name or "-",
            binding.response_body.name if binding.response_body else "-",
        )
        for method, binding in bindings
    ]
    if plain:
        return "\n".join("\t".join(row) for row in rows)
    rows.insert(0, _HEADING)
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADING))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
