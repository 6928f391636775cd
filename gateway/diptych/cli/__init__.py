"""The `diptych` command. The only package that reads settings from the environment and files.

Every failure is one line on standard error and a non-zero exit code; `--debug` prints the traceback too.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from typer.exceptions import TyperException

from ..gateway import Gateway
from ..settings.errors import SettingError
from ..workers.worker import slot_settings
from .application import gateway_of
from .auth import app as auth_commands
from .errors import CONFIGURATION
from .explain import explain as explain_request
from .health import grpc_health
from .health import health as http_health
from .lint import lint as lint_gateway
from .load import LoadError, placed, settings_of, sources_of
from .observe import observed
from .reload import reload as serve_reloading
from .table import routes as route_table
from .workers import serve as serve_slot
from .workers import slot_of, supervise

app = typer.Typer(
    name="diptych",
    help="One .proto, two protocols, one process: gRPC and REST/JSON from the same servicers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(auth_commands)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"diptych {version('diptych')}")
        raise typer.Exit


def _show_traceback(context: typer.Context, wanted: bool) -> bool:
    context.obj["traceback"] = wanted
    return wanted


Target = Annotated[
    str | None,
    typer.Argument(metavar="MODULE:FACTORY", help="The function that takes the settings and returns the gateway."),
]
Config = Annotated[
    Path | None,
    typer.Option(envvar="DIPTYCH_CONFIG", help="A TOML file of settings. Default: ./diptych.toml if it exists."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting by its dotted name. May be repeated."),
]
Debug = Annotated[
    bool, typer.Option("--debug", callback=_show_traceback, help="Print the traceback when the command fails.")
]


@app.callback()
def diptych(
    _: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
    ] = False,
) -> None:
    """One .proto, two protocols, one process: gRPC and REST/JSON from the same servicers."""


@contextmanager
def _application(
    command: str, target: str | None, config: Path | None, assignments: list[str], flags: Collection[str] = ()
) -> Iterator[str]:
    """Yields the application's name. Adds to a `SettingError` the places where its settings were written."""
    if target is None:
        raise LoadError(f"name the application: diptych {command}")
    try:
        yield target
    except SettingError as error:
        raise placed(error, sources_of(config, flags, assignments)) from error


def _gateway(command: str, target: str | None, config: Path | None, assignments: list[str] | None) -> Gateway:
    given = assignments or []
    with _application(command, target, config, given) as name:
        return gateway_of(name, settings_of(config, {}, given))


@app.command()
def serve(
    target: Target = None,
    config: Config = None,
    http_host: Annotated[str | None, typer.Option(help="Address of the HTTP listener.")] = None,
    http_port: Annotated[
        str | None, typer.Option(metavar="<int>", help="Port of the HTTP listener; 0 means any.")
    ] = None,
    grpc_host: Annotated[str | None, typer.Option(help="Address of the gRPC listener.")] = None,
    grpc_port: Annotated[
        str | None, typer.Option(metavar="<int>", help="Port of the gRPC listener; 0 means any.")
    ] = None,
    single_port: Annotated[
        bool | None, typer.Option("--single-port", help="Serve gRPC on the HTTP port, and open no other.")
    ] = None,
    workers: Annotated[
        str | None, typer.Option(metavar="<int>", help="Processes on the same ports, under a supervisor.")
    ] = None,
    grace_seconds: Annotated[
        str | None, typer.Option(metavar="<float>", help="Seconds running calls may take to finish.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            callback=_show_traceback,
            help="Send the text of exceptions to clients, and print the traceback when the command fails.",
        ),
    ] = False,
    settings: Set = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Restart when code, generated modules or settings files change.")
    ] = False,
    as_worker: Annotated[str | None, typer.Option("--as-worker", hidden=True)] = None,
) -> None:
    """Serve gRPC and REST until SIGTERM or SIGINT; a second signal exits at once.

    With several workers, SIGHUP reloads settings and code one worker at a time, without a failed request.

    Flags win over DIPTYCH_* variables, which win over the TOML file, which wins over the defaults.
    """
    # Numbers are parsed with the settings, so that an error is worded like that of a variable or a file.
    given: dict[str, Any] = {
        "http_host": http_host,
        "http_port": http_port,
        "grpc_host": grpc_host,
        "grpc_port": grpc_port,
        "single_port": single_port,
        "workers": workers,
        "grace_seconds": grace_seconds,
        "log_level": log_level,
        "debug": debug or None,
    }
    flags = {name: value for name, value in given.items() if value is not None}
    assignments = settings or []
    with _application("serve module:factory", target, config, assignments, flags) as name:
        if reload:  # before settings are read, so that fixing a broken file restarts the child
            raise typer.Exit(serve_reloading(name, workers))
        loaded = settings_of(config, flags, assignments)
        if as_worker is not None:
            slot = slot_of(as_worker)
            serve_slot(gateway_of(name, observed(slot_settings(loaded, slot))), slot)
        elif loaded.workers > 1:
            supervise(loaded)
        else:
            gateway_of(name, observed(loaded)).run()


@app.command()
def routes(
    target: Target = None,
    config: Config = None,
    settings: Set = None,
    debug: Debug = False,
    plain: Annotated[bool, typer.Option("--plain", help="Tabs between columns, no heading.")] = False,
) -> None:
    """Print the route table: verb, template, method, body, response_body."""
    gateway = _gateway("routes module:factory", target, config, settings)
    gateway.build()
    typer.echo(route_table(gateway.bindings(), plain=plain))


@app.command()
def openapi(
    target: Target = None,
    config: Config = None,
    settings: Set = None,
    debug: Debug = False,
    output: Annotated[Path | None, typer.Option(help="A file to write to instead of standard output.")] = None,
    client: Annotated[
        bool,
        typer.Option("--client", help="For generators of clients: one media type per body, JSON where possible."),
    ] = False,
) -> None:
    """Print the OpenAPI 3.1 document."""
    gateway = _gateway("openapi module:factory", target, config, settings)
    gateway.build()
    document = gateway.openapi()
    if client:
        from ..openapi import for_clients

        document = for_clients(document)
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        output.write_bytes(text)


@app.command()
def explain(
    target: Target = None,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="The HTTP method.")] = "",
    path: Annotated[str, typer.Argument(metavar="PATH", help="The path as it is sent, with its query.")] = "",
    config: Config = None,
    settings: Set = None,
    debug: Debug = False,
    data: Annotated[str | None, typer.Option(help="A JSON body.")] = None,
) -> None:
    """Explain which template a request matches, what it binds, and why other templates lost.

    Exits 1 if the request would be refused.
    """
    gateway = _gateway("explain module:factory METHOD PATH", target if path else None, config, settings)
    from ..http_server import WholeDispatch  # imported here, since no other command needs FastAPI that early

    faces = gateway.build()
    door = WholeDispatch(gateway.app, faces, gateway.settings)
    answer = explain_request(faces.rest.routes, door.obstacle, method, path, (data or "").encode())
    typer.echo(answer.text)
    if not answer.served:
        raise typer.Exit(1)


@app.command()
def lint(
    target: Target = None,
    config: Config = None,
    settings: Set = None,
    debug: Debug = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
) -> None:
    """Find rules that cannot be served, shadowed or ambiguous routes, fields that no request can set, methods without a
    route and servicer methods that misspell an RPC: all of them at once."""
    findings = lint_gateway(_gateway("lint module:factory", target, config, settings))
    for finding in findings:
        typer.echo(str(finding))
    errors, warnings = (sum(finding.level == level for finding in findings) for level in ("error", "warning"))
    typer.echo(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}")
    if errors or (strict and warnings):
        raise typer.Exit(1)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@app.command()
def health(
    config: Config = None,
    settings: Set = None,
    debug: Debug = False,
    live: Annotated[bool, typer.Option("--live", help="Ask /healthz: only whether the process is alive.")] = False,
    rpc: Annotated[bool, typer.Option("--grpc", help="Ask grpc.health.v1 instead of /readyz.")] = False,
    service: Annotated[str, typer.Option(help="With --grpc: one service, by its full name.")] = "",
    authority: Annotated[
        Path | None, typer.Option(help="With --grpc and TLS: the trusted certificate authorities, PEM.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 6.0,
) -> None:
    """Ask the gateway at the configured address whether it is ready. Exits 1 if it is not."""
    loaded = settings_of(config, {}, settings or [])
    if rpc:
        fit, text = grpc_health(loaded, service, seconds=timeout, authority=authority)
    else:
        fit, text = http_health(loaded, live=live, seconds=timeout)
    typer.echo(text)
    if not fit:
        raise typer.Exit(1)


def main() -> None:
    """Runs the command. A failure is printed in one line."""
    shown = {"traceback": False}
    try:
        code = app(standalone_mode=False, obj=shown)
    except typer.Abort:
        code = 130
    except TyperException as error:
        code = _fail(error.format_message(), error.exit_code)
    except Exception as error:
        if shown["traceback"]:
            traceback.print_exc()
        own = isinstance(error, (LoadError, *CONFIGURATION))
        code = _fail(str(error) if own else f"{type(error).__name__}: {error}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    if message:  # a command without arguments has printed its help instead
        typer.echo("diptych: " + " ".join(message.split()), err=True)
    return code
