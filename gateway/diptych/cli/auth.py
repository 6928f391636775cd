"""`diptych auth`: API keys are made and hashed here. A key is read from standard input, never from the arguments.

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
    name: Annotated[str, typer.Argument(metavar="ID", help="What the key's holder is called, in logs and limits.")],
    scope: Annotated[list[str] | None, typer.Option(help="What the holder may do. May be repeated.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="What the holder is. May be repeated.")] = None,
) -> None:
    """Make a key, and show it once, with the settings that let its holder in."""
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
    """Print the hash of a key that was made elsewhere: it is asked for, or read from standard input."""
    key = typer.prompt("Key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    try:
        typer.echo(hash_key(key.strip()))
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _text(value: str) -> str:
    return orjson.dumps(value).decode()  # a JSON string is a TOML string
