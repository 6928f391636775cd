"""Every method of the SDK's resources has a command, with its parameters, its help and nothing imported to list it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest
import typer

from artificer import Artificer
from artificer.cli import root
from artificer.cli.app import app

# Parameters that a command line cannot have, with the reason.
LEFT_OUT = {"progress": "a command shows a bar on a terminal"}
# Commands by hand that do more than their method, and have other options.
BY_HAND: dict[tuple[str, ...], tuple[str, ...]] = {
    ("batch", "submit"): ("batch", "submit"),
    ("orchestration", "pipeline"): ("orchestration", "run"),
}


def methods() -> Iterator[tuple[str, ...]]:
    """The path of each method of a client, found on the client itself."""
    client = Artificer(base_url="http://127.0.0.1:1")
    try:
        yield from _methods(client, (), of_client=True)
    finally:
        client.close()


def _methods(resource: Any, path: tuple[str, ...], *, of_client: bool = False) -> Iterator[tuple[str, ...]]:
    for name in dir(type(resource)):
        member = inspect.getattr_static(type(resource), name)
        if name.startswith("_"):
            continue
        if isinstance(member, cached_property):
            yield from _methods(getattr(resource, name), (*path, name))
        elif inspect.isfunction(member) and not of_client:
            yield (*path, name)


METHODS = sorted(methods())


def command(words: tuple[str, ...]) -> Any:
    """The command that a user gets by these words, and a word more."""
    found: Any = typer.main.get_command(app)
    rest = [word.replace("_", "-") for word in words]
    while rest:
        context = found.make_context("artificer", [*rest, "x"], resilient_parsing=True)
        _, found, rest = found.resolve_command(context, rest)
    return found


def signature(path: tuple[str, ...]) -> inspect.Signature:
    client = Artificer(base_url="http://127.0.0.1:1")
    found: Any = client
    for name in path:
        found = getattr(found, name)
    client.close()
    return inspect.signature(found)


def test_there_are_methods_of_every_resource() -> None:
    assert len(METHODS) > 50
    assert {"batch", "chat", "collections", "documents", "images", "models", "projects"} <= {
        path[0] for path in METHODS
    }


@pytest.mark.parametrize("path", METHODS, ids=".".join)
def test_a_method_has_a_command_with_its_parameters(path: tuple[str, ...]) -> None:
    found = command(BY_HAND.get(path, path))
    assert found is not None, f"no command {' '.join(path)}"
    assert found.help
    if path in BY_HAND:
        return
    parameters = signature(path).parameters.values()
    wanted = {one.name for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD}
    given = {one.name.removeprefix("given_") for one in found.params}
    by_hand = {"job_id": "job"}  # `batch start` and its like
    assert {name for name in wanted if name not in given and by_hand.get(name) not in given} <= LEFT_OUT.keys()


@pytest.mark.parametrize("name", root.BY_HAND)
def test_the_helps_in_the_list_are_those_of_the_commands(name: str) -> None:
    whole = inspect.cleandoc(command((name,)).help).split("\n\n")[0]
    assert root.BY_HAND[name] == " ".join(whole.split())


def test_listing_the_commands_imports_no_models_and_no_grpc() -> None:
    code = (
        "import sys; sys.argv = ['artificer', '--help']\n"
        "from artificer.cli.app import run\n"
        "assert run() == 0\n"
        "print(sorted({'pydantic', 'httpx2', 'grpc', 'artificer.types'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "conversations" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
