"""Tokens: which are accepted, which are refused and why, and where their keys come from."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from diptych.auth import Credentials, Jwt, Principal, Refused
from diptych.origin import Origin
from diptych.settings.auth import JwtSettings
from diptych.status import Code, StatusError
from tests.gateway.issuer import AUDIENCE, ISSUER, document, key_of, key_server, public, token

SECRET = "a secret of forty characters, or even more"
PUBLIC = {"RS256": "RS256", "RS384": "RS256", "PS256": "RS256", "ES256": "ES256", "ES384": "ES384", "EdDSA": "EdDSA"}


def settings(**changed: Any) -> JwtSettings:
    times = {"jwks_retry_seconds": 0.001, "jwks_timeout_seconds": 60}
    return JwtSettings(**{"issuer": ISSUER, "audiences": (AUDIENCE,), **times, **changed})


def shown(bearer: str | None) -> Credentials:
    return Credentials(method="/a.B/C", origin=Origin(protocol="grpc"), bearer=bearer)


async def ask(authenticator: Jwt, bearer: str) -> Principal:
    found = await authenticator.authenticate(shown(bearer))
    assert found is not None
    return found


async def refused(authenticator: Jwt, bearer: str) -> str:
    with pytest.raises(Refused) as wrong:
        await authenticator.authenticate(shown(bearer))
    return wrong.value.reason


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(document(public("one"), public("curve", "ES256")))
    return path


@pytest.mark.parametrize(("algorithm", "of"), PUBLIC.items())
async def test_every_allowed_public_key_algorithm_is_accepted(algorithm: str, of: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(document(public("k", of, alg=algorithm) if of == "RS256" else public("k", of)))
    allowed = Jwt(settings(jwks_file=path, algorithms=[algorithm]))
    signed = token("k", algorithm, key=key_of("k", of))
    assert (await ask(allowed, signed)).id == "ada"
    other = Jwt(settings(jwks_file=path, algorithms=["ES512"]))
    assert await refused(other, signed) == "the token's algorithm is not allowed"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_token_signed_with_the_shared_secret_is_accepted(algorithm: str) -> None:
    secret = SECRET * 2
    authenticator = Jwt(settings(secret=secret, algorithms=[algorithm]))
    assert (await ask(authenticator, token(None, algorithm, key=secret))).kind == "jwt"
    assert await refused(authenticator, token(None, algorithm, key=secret + "!")) == "the token is not valid"


def test_a_short_or_incomplete_secret_is_an_error() -> None:
    for wrong in (
        {"secret": "short"},
        {"secret": SECRET, "algorithms": ["HS512"]},
        {"secret": SECRET, "algorithms": ["RS256"]},
        {"jwks_file": "x", "algorithms": ["HS256"]},
        {"jwks_file": "x", "jwks_url": "https://issuer.test/keys"},
        {"jwks_url": "http://issuer.test/keys"},
        {},
    ):
        with pytest.raises(ValueError) as told:
            settings(**wrong)
        assert "short" not in str(told.value).replace("is shorter than", "")
        assert SECRET not in str(told.value)


async def test_claims_become_the_principal(keys: Path) -> None:
    authenticator = Jwt(settings(jwks_file=keys, roles_claim="realm.roles"))
    found = await ask(authenticator, token(scope="read write", realm={"roles": ["cook", 7]}, extra=1))
    assert (found.id, found.kind) == ("ada", "jwt")
    assert found.scopes == {"read", "write"}
    assert found.roles == {"cook"}
    assert found.claims["extra"] == 1
    assert "extra" not in repr(found)
    assert found.expires is not None
    named: dict[str, Any] = {"https://issuer.test/scopes": ["a", "b"]}
    listed = Jwt(settings(jwks_file=keys, scopes_claim="https://issuer.test/scopes"))
    assert (await ask(listed, token(None, **named))).scopes == {"a", "b"}


WRONG = [
    ({"exp": int(time.time()) - 120}, "the token has expired"),
    ({"exp": None}, "the token lacks a required claim: exp, iss or aud"),
    ({"iss": None}, "the token lacks a required claim: exp, iss or aud"),
    ({"aud": None}, "the token lacks a required claim: exp, iss or aud"),
    ({"aud": "other"}, "the token is for another audience"),
    ({"aud": ["other", "another"]}, "the token is for another audience"),
    ({"iss": "https://other.test"}, "the token is from another issuer"),
    ({"nbf": int(time.time()) + 3600}, "the token is not valid yet"),
    ({"iat": int(time.time()) + 3600}, "the token is not valid yet"),
    ({"sub": None}, "the token has no subject"),
    ({"sub": ""}, "the token has no subject"),
    ({"sub": "a\ud800"}, "the token's subject is not Unicode"),  # JSON may have a lone surrogate, in an escape
    ({"exp": "soon"}, "the token is not valid"),
]


@pytest.mark.parametrize(("claims", "reason"), WRONG)
async def test_wrong_claims_are_refused_and_named(claims: dict[str, Any], reason: str, keys: Path) -> None:
    assert await refused(Jwt(settings(jwks_file=keys)), token(**claims)) == reason


async def test_the_clock_may_differ_by_the_leeway(keys: Path) -> None:
    now = int(time.time())
    near: list[dict[str, Any]] = [{"exp": now - 20}, {"nbf": now + 20}, {"iat": now + 20}]
    authenticator = Jwt(settings(jwks_file=keys, leeway_seconds=60))
    for claims in near:
        assert (await ask(authenticator, token(**claims))).id == "ada"
    exact = Jwt(settings(jwks_file=keys, leeway_seconds=0))
    assert await refused(exact, token(exp=now - 20)) == "the token has expired"


def unsigned(header: dict[str, Any]) -> str:
    written = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{written}.{token().split('.')[1]}."


async def test_an_unsigned_token_is_refused(keys: Path) -> None:
    authenticator = Jwt(settings(jwks_file=keys))
    for algorithm in ("none", "None", "NONE", "nOnE", "", None, 7, ["RS256"]):
        assert "token" in await refused(authenticator, unsigned({"alg": algorithm, "kid": "one", "typ": "JWT"}))
    assert await refused(authenticator, unsigned({"alg": "RS256", "kid": "one"})) == "the token is not valid"


async def test_a_token_with_critical_headers_is_refused(keys: Path) -> None:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": now + 600}
    signed = jwt.encode(claims, key_of("one"), algorithm="RS256", headers={"kid": "one", "crit": ["x"], "x": 1})
    assert await refused(Jwt(settings(jwks_file=keys)), signed) == "the token is not valid"


async def test_a_public_key_is_not_accepted_as_a_shared_secret(keys: Path) -> None:
    # CVE-2015-9235: the server's public key, which anyone can get, used as the secret of HS256.
    pem = (
        key_of("one")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "one"}).encode()).rstrip(b"=").decode()
    signing = f"{head}.{token().split('.')[1]}"
    signature = jwt.get_algorithm_by_name("HS256").sign(signing.encode(), pem)
    confused = f"{signing}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await refused(Jwt(settings(jwks_file=keys)), confused) == "the token's algorithm is not allowed"
    both = Jwt(settings(jwks_file=keys, secret=SECRET))
    assert await refused(both, confused) == "the token is not valid"
    assert (await ask(both, token(None, "HS256", key=SECRET))).id == "ada"
    assert (await ask(both, token())).id == "ada"


async def test_a_shared_secret_or_an_encryption_key_in_a_key_set_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    octets = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")
    path.write_bytes(document({"kty": "oct", "k": octets, "kid": "shared"}, public("one", use="enc"), public("other")))
    authenticator = Jwt(settings(jwks_file=path))
    assert await refused(authenticator, token("shared", "HS256", key=SECRET)) == "the token's algorithm is not allowed"
    assert await refused(authenticator, token("one")) == "the token is signed with an unknown key"
    assert (await ask(authenticator, token("other"))).id == "ada"


async def test_a_token_without_a_kid_is_checked_against_every_key(keys: Path) -> None:
    authenticator = Jwt(settings(jwks_file=keys))
    assert (await ask(authenticator, token(None, "ES256", key=key_of("curve", "ES256")))).id == "ada"
    assert (
        await refused(authenticator, token(None, "ES256", key=key_of("stranger", "ES256"))) == "the token is not valid"
    )


async def test_several_issuers_can_be_used_together(keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(document(public("other")))
    first = Jwt(settings(jwks_file=keys), only=False)
    second = Jwt(settings(jwks_file=path, issuer="https://other.test"), only=False)
    theirs = token("other", iss="https://other.test")
    assert (await ask(first, token())).id == "ada"
    assert await first.authenticate(shown(theirs)) is None
    assert (await ask(second, theirs)).id == "ada"
    assert await refused(second, token("one", iss="https://other.test")) == "the token is signed with an unknown key"
    assert await first.authenticate(shown("a.b.c")) is None


async def test_garbage_is_refused(keys: Path) -> None:
    authenticator = Jwt(settings(jwks_file=keys))
    nested = base64.urlsafe_b64encode(b"[" * 9000).decode()
    for text in ("..", "a.b.c", "ü.ö.ä", f"{nested}.{nested}.", "x" * 20_000 + "..", token()[:-5] + "AAAAA"):
        assert (await refused(authenticator, text)).startswith("the token")
    for other in ("", "opaque", "one.two"):
        assert await authenticator.authenticate(shown(other)) is None


async def test_a_cached_token_is_not_verified_again(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    decode = jwt.decode

    def counting(*args: Any, **named: Any) -> Any:
        checked.append("")
        return decode(*args, **named)

    monkeypatch.setattr(jwt, "decode", counting)
    authenticator = Jwt(settings(jwks_file=keys, cache_tokens=2))
    first, second, third = token(), token(sub="bob"), token(sub="eve")
    for _ in range(3):
        await ask(authenticator, first)
    assert len(checked) == 1
    for one in (second, third, first):
        await ask(authenticator, one)
    assert len(checked) == 4, "the oldest was pushed out"
    assert first not in repr(vars(authenticator))


async def test_a_cached_token_is_refused_after_its_expiry(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authenticator = Jwt(settings(jwks_file=keys, leeway_seconds=0, cache_seconds=10_000))
    signed = token()
    await ask(authenticator, signed)
    later = time.time() + 601
    monkeypatch.setattr("diptych.auth.tokens.time.time", lambda: later)
    asked: list[str] = []

    def expired(*_: Any, **__: Any) -> Any:
        asked.append("")
        raise jwt.ExpiredSignatureError

    monkeypatch.setattr(jwt, "decode", expired)
    assert await refused(authenticator, signed) == "the token has expired"
    assert asked


async def test_keys_rotate(tmp_path: Path) -> None:
    with key_server(public("one")) as server:
        authenticator = Jwt(settings(jwks_url=server.url))
        await asyncio.gather(*(ask(authenticator, token(sub=str(number))) for number in range(20)))
        assert server.asked == 1, "calls that wait for the first keys wait for one fetch"
        server.document = document(public("one"), public("two"))
        assert (await ask(authenticator, token("two"))).id == "ada"
        assert server.asked == 2
        server.document = document(public("two"))
        assert await refused(authenticator, token("three")) == "the token is signed with an unknown key"
        # The unknown key caused a fetch, which removed "one" and its cached tokens.
        assert await refused(authenticator, token(sub="0")) == "the token is signed with an unknown key"
        assert (await ask(authenticator, token("two"))).id == "ada"
        await authenticator.close()


async def test_unknown_keys_cause_few_fetches() -> None:
    with key_server(public("one")) as server:
        authenticator = Jwt(settings(jwks_url=server.url, jwks_retry_seconds=1000))
        await ask(authenticator, token())
        for number in range(50):
            assert (
                await refused(authenticator, token(f"x{number}", key=key_of("one")))
                == "the token is signed with an unknown key"
            )
        assert server.asked == 1
        await authenticator.close()


async def test_the_last_keys_stay_in_use_while_fetching_fails(caplog: pytest.LogCaptureFixture) -> None:
    with key_server(public("one")) as server:
        authenticator = Jwt(settings(jwks_url=server.url, jwks_refresh_seconds=0.001))
        await ask(authenticator, token())
        for status, shown_ in ((500, b""), (200, b"no json"), (200, document()), (302, b"")):
            server.status, server.document = status, shown_
            before = server.asked
            with caplog.at_level(logging.WARNING, "diptych.auth"):
                while server.asked == before or "the last ones stay in use" not in caplog.text:
                    assert (await ask(authenticator, token(sub=f"{status}"))).kind == "jwt"
                    assert await refused(authenticator, token("two")) == "the token is signed with an unknown key"
            caplog.clear()
    assert (await ask(authenticator, token(sub="nobody answers"))).kind == "jwt"
    await authenticator.close()


async def test_a_lasting_failure_is_said_once_and_its_end_with_the_count(caplog: pytest.LogCaptureFixture) -> None:
    with key_server(public("one")) as server, caplog.at_level(logging.INFO, "diptych.auth"):
        authenticator = Jwt(settings(jwks_url=server.url, jwks_refresh_seconds=0.001, jwks_retry_seconds=0.001))
        await ask(authenticator, token())
        server.status = 500
        while server.asked < 6:
            await refused(authenticator, token("two"))
        server.status = 200
        while "are loaded again after" not in caplog.text:
            await refused(authenticator, token("two"))
        await authenticator.close()
    assert caplog.text.count("cannot load the keys that verify tokens") == 1


async def test_without_keys_calls_get_unavailable() -> None:
    with key_server(public("one")) as server:
        server.status = 503
        authenticator = Jwt(settings(jwks_url=server.url))
        with pytest.raises(StatusError) as wrong:
            await authenticator.authenticate(shown(token()))
        assert wrong.value.status.code is Code.UNAVAILABLE
        [retry] = wrong.value.status.details
        assert retry.type_url.endswith("RetryInfo")
        server.status = 200
        found = None
        while found is None:  # as soon as the next fetch is allowed
            with contextlib.suppress(StatusError):
                found = await ask(authenticator, token())
        assert found.id == "ada"
        await authenticator.close()


async def test_stale_keys_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("diptych.auth.jwks.time", SimpleNamespace(monotonic=lambda: now))
    with key_server(public("one")) as server:
        # Within a second, the keys are not fetched again.
        loads = {"jwks_refresh_seconds": 1, "jwks_retry_seconds": 1, "jwks_stale_seconds": 2}
        authenticator = Jwt(settings(jwks_url=server.url, cache_tokens=0, **loads))
        assert (await ask(authenticator, token())).id == "ada"
        server.status = 500
        assert (await ask(authenticator, token())).id == "ada"
        now += 2.1
        with pytest.raises(StatusError):
            await authenticator.authenticate(shown(token()))
        await authenticator.close()


async def test_a_slow_issuer_does_not_block_the_event_loop_and_times_out() -> None:
    with key_server(public("one")) as server:
        server.hold = threading.Event()
        patient = Jwt(settings(jwks_url=server.url))
        waiting = asyncio.ensure_future(patient.authenticate(shown(token())))
        await asyncio.to_thread(server.reached.wait)
        assert not waiting.done(), "the loop goes on while the issuer says nothing"
        hurried = Jwt(settings(jwks_url=server.url, jwks_timeout_seconds=0.2))
        with pytest.raises(StatusError):
            await hurried.authenticate(shown(token()))
        assert not waiting.done()
        waiting.cancel()
        await patient.close()
        await hurried.close()


async def test_a_cancelled_caller_does_not_cancel_the_fetch() -> None:
    with key_server(public("one")) as server:
        server.hold = threading.Event()
        authenticator = Jwt(settings(jwks_url=server.url))
        leaves = asyncio.ensure_future(authenticator.authenticate(shown(token())))
        stays = asyncio.ensure_future(authenticator.authenticate(shown(token())))
        await asyncio.to_thread(server.reached.wait, 10)
        leaves.cancel()
        server.hold.set()
        found = await stays
        assert found is not None
        assert leaves.cancelled() or (await asyncio.gather(leaves, return_exceptions=True))
        await authenticator.close()
