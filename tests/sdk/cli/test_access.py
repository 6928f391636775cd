"""`artificer` against a gateway that asks who calls: keys, tokens, certificates, a private authority, plain text."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer.cli.connection import Connection
from artificer.cli.errors import Usage
from artificer_services.batch.build import BatchService, BatchSettings
from diptych import Gateway, Settings
from diptych.auth import hash_key, new_key
from tests import commands
from tests.certificates import Authority
from tests.gateway.issuer import AUDIENCE, ISSUER
from tests.gateway.issuer import token as signed

ROOT = Path(__file__).parents[3]
SECRET = "a secret that both sides of it share, of 32 bytes and more"
OPERATOR, READER = new_key("operator"), new_key("reader")
BATCH = "/artificer.batch.v1.BatchService"
AUTH: dict[str, Any] = {
    "api_keys": {
        "operator": {"hash": hash_key(OPERATOR), "scopes": ["batch.read", "batch.write"]},
        "reader": {"hash": hash_key(READER), "scopes": ["batch.read"]},
    },
    "jwt": {"issuer": ISSUER, "audiences": [AUDIENCE], "secret": SECRET, "algorithms": ["HS256"]},
    "rules": [
        {"methods": [f"{BATCH}/*"], "scopes": ["batch.read"]},
        {"methods": [f"{BATCH}/CreateJob", f"{BATCH}/UploadBlob"], "scopes": ["batch.write"]},
    ],
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


async def artificer(*arguments: str, **variables: str) -> Done:
    """Run the command with these environment variables only."""
    return await _run(partial(commands.run, given="one\ntwo\n"), arguments, variables)


async def artificer_in_new_process(*arguments: str, **variables: str) -> Done:
    """The same in a new interpreter, whose output includes what grpc's core logs: it reads its level on import."""
    return await _run(commands.start, arguments, variables)


async def _run(
    start: Callable[..., subprocess.CompletedProcess[str]], arguments: Sequence[str], variables: Mapping[str, str]
) -> Done:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    command = ("artificer.cli", "batch", *arguments)
    ran = await asyncio.to_thread(start, *command, folder=ROOT, env=env)
    done = Done(ran.returncode, ran.stdout, ran.stderr)
    for secret in (OPERATOR, READER, *(value for name, value in variables.items() if "TOKEN" in name)):
        assert secret not in done.out + done.err
    assert "Traceback" not in done.err
    return done


@asynccontextmanager
async def serving(folder: Path, auth: Mapping[str, Any] = AUTH, **more: Any) -> AsyncIterator[str]:
    """A gateway with batch alone behind it; where its gRPC is."""
    batch = BatchService(BatchSettings(data_dir=str(folder / "data"), engine="none"))
    settings = Settings.model_validate({"http_port": 0, "grpc_port": 0, "auth": auth, "grace_seconds": 0, **more})
    gateway = Gateway(settings, lifespan=batch.lifespan, on_stop=[batch.begin_shutdown])
    rpc.add_BatchServiceServicer_to_server(batch.servicer, gateway)
    async with gateway:
        yield f"127.0.0.1:{gateway.grpc_port}"


SUBMIT = ("submit", "-", "--phase", "text.normalize", "--no-start")


async def test_keys_and_tokens_are_sent_with_calls_of_every_kind(tmp_path: Path) -> None:
    async with serving(tmp_path) as address:
        made = await artificer(*SUBMIT, "--api-key", OPERATOR, "--address", address)  # unary, and a stream of items
        assert made.code == 0, made.err
        job = made.out.strip()
        document = tmp_path / "document"
        document.write_text("some text")
        uploaded = await artificer("submit", str(document), "--no-start", "--token", OPERATOR, "--address", address)
        assert uploaded.code == 0, uploaded.err
        by_token = {
            "ARTIFICER_TOKEN": signed(None, "HS256", key=SECRET, scope="batch.read"),
            "ARTIFICER_ADDRESS": address,
        }
        assert (await artificer("logs", job, **by_token)).code == 0  # a stream of answers
        assert job in (await artificer("status", **by_token)).out


async def test_refused_callers_learn_what_is_missing(tmp_path: Path) -> None:
    async with serving(tmp_path) as address:
        nobody = await artificer("status", "--address", address)
        assert nobody.code == 1
        assert nobody.err == (
            f"artificer: {address} requires credentials:"
            " --token or ARTIFICER_TOKEN, --api-key or ARTIFICER_API_KEY, or --cert\n"
        )
        wrong = await artificer("status", "--address", address, "--api-key", new_key("operator"))
        assert (wrong.code, wrong.err.count("\n")) == (1, 1)
        assert f"{address} rejected the credentials: " in wrong.err
        may_not = await artificer(*SUBMIT, "--address", address, "--api-key", READER)
        assert may_not.code == 1
        assert "denied permission: the caller lacks the scope batch.write" in may_not.err


async def test_a_flag_takes_precedence_over_variables(tmp_path: Path) -> None:
    async with serving(tmp_path) as address:
        wrong = {"ARTIFICER_API_KEY": new_key("nobody"), "ARTIFICER_ADDRESS": "127.0.0.1:1"}
        assert (await artificer("status", "--address", address, "--api-key", READER, **wrong)).code == 0
        assert (await artificer("status", "--address", address, "--token", READER, **wrong)).code == 0
        both = await artificer("status", ARTIFICER_TOKEN="t-o-k-e-n", ARTIFICER_API_KEY="other")
        assert (both.code, both.err) == (
            2,
            "artificer: ARTIFICER_TOKEN and ARTIFICER_API_KEY are both set; unset one of them\n",
        )
        assert (await artificer("status", "--token", "t-o-k-e-n", "--api-key", "other")).code == 2
        trailing = {"ARTIFICER_API_KEY": READER + "\r\n", "ARTIFICER_ADDRESS": address}  # as env files have it
        assert (await artificer("status", **trailing)).code == 0


async def test_a_private_authority_and_a_client_certificate(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    server, client = authority.shown(), authority.client("batch.client")
    auth = {"certificates": [{"common_name": "batch.client", "scopes": ["batch.read"]}], "rules": AUTH["rules"]}
    tls = {
        "tls_certificate": server.certificate_file,
        "tls_key": server.key_file,
        "tls_client_ca": authority.file,
        "tls_client_auth": "required",
    }
    both = tmp_path / "both.pem"
    both.write_bytes(client.chain + client.key)
    shown = ["--cert", str(client.certificate_file), "--key", str(client.key_file)]
    async with serving(tmp_path, auth, **tls) as address:
        trusting = {"ARTIFICER_CA": str(authority.file), "ARTIFICER_ADDRESS": f"grpcs://{address}"}
        assert (await artificer("status", *shown, **trusting)).code == 0
        assert (await artificer("status", "--cert", str(both), **trusting)).code == 0
        bare = await artificer("status", *shown, "--ca", str(authority.file), "--address", address)
        assert bare.code == 0, bare.err  # --ca means TLS
        stranger = await artificer("status", *shown, "--ca", str(other.file), "--address", f"https://{address}")
        assert stranger.code == 3
        assert "no trusted authority has signed its certificate; --ca names one" in stranger.err
        without = await artificer_in_new_process("status", **trusting)
        assert without.code == 3
        assert without.err == (
            f"artificer: grpcs://{address} cannot be reached: it refused the TLS connection;"
            " it may require a client certificate that it trusts, --cert\n"
        )
        plain = await artificer("status", "--address", f"http://{address}")
        assert plain.code == 3


async def test_no_credentials_are_sent_to_a_gateway_without_tls(tmp_path: Path) -> None:
    async with serving(tmp_path) as address:
        told = await artificer("status", "--api-key", READER, "--address", f"https://{address}")
        assert told.code == 3
        assert "it does not use TLS" in told.err


@pytest.mark.parametrize(
    ("address", "access", "told"),
    [
        ("gateway.example:50051", {"token": "t"}, "in plain text; use https://gateway.example:50051"),
        ("http://gateway.example", {"token": "t", "transport": "rest"}, "--allow-insecure"),
        ("key@gateway.example:50051", {}, "an address must not contain credentials"),
        ("http://127.0.0.1:1", {"tls": True}, "excludes TLS"),
        ("https://127.0.0.1:1/path", {}, "invalid address"),
        ("https://", {}, "invalid address"),
    ],
)
def test_unsafe_or_invalid_options_are_refused(address: str, access: dict[str, Any], told: str) -> None:
    with pytest.raises(Usage, match=told) as caught:
        Connection(server=address, **access).client(print)
    assert "key@" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://gateway.example:1", "localhost:1", "[::1]:1", "127.0.0.2:1", "unix:/x"])
def test_credentials_go_in_plain_text_only_to_this_machine_or_on_request(address: str) -> None:
    Connection(server=address, token="t").client(print).close()


@pytest.mark.parametrize("server", ["127.0.0.1:1", "https://127.0.0.1:1"])
def test_unusable_files_are_named(server: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    with pytest.raises(Usage, match=f"--ca '{bad}' contains no PEM certificate"):
        _client(server, ca=bad)
    with pytest.raises(Usage, match=f"--cert '{bad}' and key '{bad}' are not a PEM pair"):
        _client(server, cert=bad)
    with pytest.raises(Usage, match="--key requires --cert"):
        Connection(key=bad).client(print)
    for name in ("ca", "cert"):
        with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
            _client(server, **{name: tmp_path / "missing.pem"})


def _client(server: str, **access: Any) -> None:
    Connection.of(server, None, **access).client(print).close()


@pytest.mark.parametrize(
    "address", ["http://", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:0", "https://a?b=c", "http://a#b"]
)
def test_addresses_of_rest_that_cannot_be_are_named(address: str) -> None:
    with pytest.raises(Usage, match="base_url must be http://host:port or https://host:port, not"):
        _client(address)


@pytest.mark.parametrize("secret", ["two words", "bell\x07", "grüße"])
def test_a_secret_that_cannot_be_sent_is_not_repeated(secret: str) -> None:
    with pytest.raises(Usage) as caught:
        Connection(api_key=secret).client(print)
    assert secret not in str(caught.value)
    assert "hunter2" not in repr(Connection(token="hunter2"))
