"""The `diptych` command: arguments to settings to gateway. The only room that reads the environment and files.

Every failure is one line on standard error and a non-zero exit, without a traceback.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from typer.exceptions import TyperException

from ..auth import AuthError, KeyFileError
from ..limits import LimitError
from ..rpc_server import EngineError
from ..rules import RuleError
from ..telemetry.setup import TelemetryError
from ..workers.member import seated
from .auth import app as auth_commands
from .explain import explain as explain_request
from .health import grpc_health
from .health import health as http_health
from .lint import lint as lint_gateway
from .load import LoadError, gateway_of, settings_of
from .observe import observed
from .table import routes as route_table
from .workers import seat_of, supervise
from .workers import serve as serve_seated

app = typer.Typer(
    name="diptych",
    help="One .proto, two protocols, one process: gRPC and REST/JSON from the same servicers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(auth_commands)

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODULE:FACTORY]",
        help="What makes the gateway, called with the settings. Without it: the one installed application.",
    ),
]
App = Annotated[
    str | None,
    typer.Option("--app", metavar="MODULE:FACTORY", envvar="DIPTYCH_APP", help="What makes the gateway."),
]
Config = Annotated[
    Path | None,
    typer.Option(envvar="DIPTYCH_CONFIG", help="A TOML file of settings; ./diptych.toml where there is one."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting by name; dots go into tables. May be repeated."),
]


@app.command()
def serve(
    target: Target = None,
    config: Config = None,
    http_host: Annotated[str | None, typer.Option(help="Address of the HTTP listener.")] = None,
    http_port: Annotated[int | None, typer.Option(help="Port of the HTTP listener; 0 means any.")] = None,
    grpc_host: Annotated[str | None, typer.Option(help="Address of the gRPC listener.")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="Port of the gRPC listener; 0 means any.")] = None,
    single_port: Annotated[
        bool | None, typer.Option("--single-port", help="Serve gRPC on the HTTP port, and open no other.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes on the same ports, under a supervisor.")] = None,
    grace_seconds: Annotated[float | None, typer.Option(help="Seconds running calls may take to finish.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    debug: Annotated[bool | None, typer.Option("--debug", help="Send the text of exceptions to clients.")] = None,
    settings: Set = None,
    as_worker: Annotated[str | None, typer.Option("--as-worker", hidden=True)] = None,
) -> None:
    """Serve both faces until SIGTERM or SIGINT; a second signal exits at once.

    With several workers, SIGHUP reads settings and code anew, a worker at a time, without a failed request.

    Settings come from DIPTYCH_* variables, then a TOML file, then flags: the later wins.
    """
    flags: dict[str, Any] = {
        "http_host": http_host,
        "http_port": http_port,
        "grpc_host": grpc_host,
        "grpc_port": grpc_port,
        "single_port": single_port,
        "workers": workers,
        "grace_seconds": grace_seconds,
        "log_level": log_level,
        "debug": debug,
    }
    loaded = settings_of(config, {name: value for name, value in flags.items() if value is not None}, settings or [])
    if as_worker is not None:
        seat = seat_of(as_worker)
        serve_seated(gateway_of(target, observed(seated(loaded, seat))), seat)
    elif loaded.workers > 1:
        supervise(loaded)
    else:
        gateway_of(target, observed(loaded)).run()


@app.command()
def routes(
    target: App = None,
    config: Config = None,
    settings: Set = None,
    plain: Annotated[bool, typer.Option("--plain", help="Tabs between columns, no heading.")] = False,
) -> None:
    """Print the route table: verb, template, method, body, response_body."""
    gateway = gateway_of(target, settings_of(config, {}, settings or []))
    gateway.build()
    typer.echo(route_table(gateway.bindings(), plain=plain))


@app.command()
def openapi(
    target: App = None,
    config: Config = None,
    settings: Set = None,
    output: Annotated[Path | None, typer.Option(help="A file to write to instead of standard output.")] = None,
) -> None:
    """Print the OpenAPI 3.1 document."""
    gateway = gateway_of(target, settings_of(config, {}, settings or []))
    gateway.build()
    text = orjson.dumps(gateway.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        output.write_bytes(text)


@app.command()
def explain(
    method: Annotated[str, typer.Argument(help="The HTTP method.")],
    path: Annotated[str, typer.Argument(help="The path as it is sent, with its query.")],
    target: App = None,
    config: Config = None,
    settings: Set = None,
    data: Annotated[str | None, typer.Option(help="A JSON body.")] = None,
) -> None:
    """Say which template matches a request, what is bound, and which templates lost and why.

    Exits 1 where the request would be refused.
    """
    gateway = gateway_of(target, settings_of(config, {}, settings or []))
    answer = explain_request(gateway.build().routes, method, path, (data or "").encode())
    typer.echo(answer.text)
    if not answer.served:
        raise typer.Exit(1)


@app.command()
def lint(
    target: App = None,
    config: Config = None,
    settings: Set = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
) -> None:
    """Look for shadowed or ambiguous routes, fields no request can set, and methods without a route."""
    findings = lint_gateway(gateway_of(target, settings_of(config, {}, settings or [])))
    for finding in findings:
        typer.echo(str(finding))
    errors = sum(finding.is_error for finding in findings)
    typer.echo(f"{errors} errors, {len(findings) - errors} warnings")
    if errors or (strict and findings):
        raise typer.Exit(1)


@app.command()
def health(
    config: Config = None,
    settings: Set = None,
    live: Annotated[bool, typer.Option("--live", help="Only whether the process is alive (/healthz).")] = False,
    rpc: Annotated[bool, typer.Option("--grpc", help="Ask grpc.health.v1 instead of /readyz.")] = False,
    service: Annotated[str, typer.Option(help="With --grpc: one service, by its full name.")] = "",
    authority: Annotated[
        Path | None, typer.Option(help="With --grpc and TLS: whose certificates are believed, PEM.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 6.0,
) -> None:
    """Say whether the gateway that listens where the settings say takes calls. Exits 1 where it does not."""
    loaded = settings_of(config, {}, settings or [])
    if rpc:
        fit, text = grpc_health(loaded, service, seconds=timeout, authority=authority)
    else:
        fit, text = http_health(loaded, live=live, seconds=timeout)
    typer.echo(text)
    if not fit:
        raise typer.Exit(1)


def main() -> None:
    """Run the command; what goes wrong is told in one line."""
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        code = 130
    except TyperException as error:
        code = _fail(error.format_message(), error.exit_code)
    except (AuthError, EngineError, KeyFileError, LimitError, LoadError, RuleError, TelemetryError, OSError) as error:
        code = _fail(str(error), 1)
    except Exception as error:
        code = _fail(f"{type(error).__name__}: {error}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> int:
    typer.echo("diptych: " + " ".join(message.split()), err=True)
    return code
