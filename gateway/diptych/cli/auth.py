"""`diptych auth`: makes and hashes API keys. It reads keys from standard input: arguments are visible to other users.

It knows no gateway.
"""

from __future__ import annotations

import sys
from typing import Annotated

import orjson
import typer

from ..auth import hash_key, new_key

app = typer.Typer(
    name="auth", help="Make API keys.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.command("new-key")
def new(
    name: Annotated[str, typer.Argument(metavar="ID", help="The caller's id, in logs and limits.")],
    scope: Annotated[list[str] | None, typer.Option(help="A scope of the caller. May be repeated.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role of the caller. May be repeated.")] = None,
) -> None:
    """Make a key and print it once, with the settings that accept it."""
    try:
        key = new_key(name)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    typer.echo(key)
    typer.echo(f"\n[auth.api_keys.{name}]\nhash = {_text(hash_key(key))}")
    for setting, values in (("scopes", scope), ("roles", role)):
        if values:
            typer.echo(f"{setting} = [{', '.join(map(_text, values))}]")


@app.command("hash-key")
def hashed() -> None:
    """Print the hash of a key that was made elsewhere, read from a prompt or from standard input."""
    key = typer.prompt("Key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    try:
        typer.echo(hash_key(key.strip()))
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _text(value: str) -> str:
    return orjson.dumps(value).decode()  # a JSON string is a TOML string
