"""API keys: creation, hashing, authentication, and reloading while the server runs."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import tomllib
from hmac import compare_digest
from pathlib import Path
from typing import Any

import pytest

from diptych import Settings
from diptych.auth import ApiKeys, Credentials, KeyFileError, Refused, hash_key, new_key
from diptych.auth import keys as keys_module
from diptych.origin import Origin
from diptych.settings.auth import ApiKey
from tests.commands import run

module: Any = keys_module
OWN, FOREIGN = new_key("ci"), "0123456789abcdef0123456789abcdef-made-elsewhere"


def kept(key: str, **more: Any) -> ApiKey:
    return ApiKey(**{"hash": hash_key(key), **more})


def shown(api_key: str | None = None, bearer: str | None = None) -> Credentials:
    return Credentials(method="/a.B/C", origin=Origin(protocol="rest"), api_key=api_key, bearer=bearer)


async def holder(keys: ApiKeys, key: str) -> str:
    found = await keys.authenticate(shown(key))
    assert found is not None
    return found.id


async def refused(keys: ApiKeys, key: str) -> str:
    with pytest.raises(Refused) as wrong:
        await keys.authenticate(shown(key))
    return wrong.value.reason


def test_a_key_is_random_and_contains_its_id() -> None:
    assert OWN.startswith("dk_ci_")
    assert new_key("ci") != OWN
    assert len(OWN) > 45
    for name in ("", "CI", "a_b", "-a", "a-", "ä", "a" * 64):
        with pytest.raises(ValueError, match="id"):
            new_key(name)


def test_a_hash_is_salted_and_does_not_reveal_the_key() -> None:
    first, second = hash_key(OWN), hash_key(OWN)
    assert first != second
    assert OWN not in first
    assert OWN.encode().hex() not in first
    with pytest.raises(ValueError, match="fewer than 32"):
        hash_key("correct horse battery staple")


async def test_a_key_identifies_its_holder() -> None:
    keys = ApiKeys({"ci": kept(OWN, scopes=["a"], roles=["b"]), "other": kept(FOREIGN)})
    found = await keys.authenticate(shown(OWN))
    assert found is not None
    assert (found.id, found.kind) == ("ci", "api-key")
    assert (*found.scopes, *found.roles) == ("a", "b")
    assert await holder(keys, FOREIGN) == "other"
    by_bearer = await keys.authenticate(shown(bearer=FOREIGN))
    assert by_bearer is not None
    assert by_bearer.id == "other"
    assert await keys.authenticate(shown()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        OWN[:-1],
        OWN + "x",
        OWN.upper(),
        FOREIGN[:-1],
        "",
        "dk_",
        "dk_ci_",
        "dk_other_" + OWN[6:],
        new_key("nobody"),
        "ü",
    ],
    ids=["short", "long", "upper", "foreign", "empty", "prefix", "id", "other-id", "unknown-id", "not-ascii"],
)
async def test_an_unknown_key_is_refused(wrong: str) -> None:
    assert await refused(ApiKeys({"ci": kept(OWN), "other": kept(FOREIGN)}), wrong) == "unknown API key"


async def test_a_key_whose_id_differs_from_the_settings_is_refused() -> None:
    assert await refused(ApiKeys({"renamed": kept(OWN)}), OWN) == "unknown API key"


@pytest.mark.parametrize(
    ("key", "compared"),
    [(OWN, 1), (OWN + "x", 1), (new_key("nobody"), 1), (FOREIGN, 3), (FOREIGN + "x", 3)],
    ids=["right", "wrong", "unknown-id", "foreign", "foreign-wrong"],
)
async def test_keys_are_compared_in_constant_time(key: str, compared: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return compare_digest(one, other)

    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    keys = ApiKeys({"ci": kept(OWN), "other": kept(FOREIGN), "third": kept(FOREIGN + "3")})
    with contextlib.suppress(Refused):
        await keys.authenticate(shown(key))
    assert len(seen) == compared, "as many for a wrong key as for a right one, and for an id that nobody has"
    assert {len(side) for pair in seen for side in pair} == {32}


@pytest.mark.parametrize("key", [OWN, FOREIGN], ids=["own", "foreign"])
async def test_a_verified_key_is_not_hashed_with_every_salt_again(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ApiKeys({"ci": kept(OWN), "other": kept(FOREIGN), "third": kept(FOREIGN + "3")})
    who = await holder(keys, key)

    def compare(one: bytes, other: bytes) -> bool:
        raise AssertionError("the key is known")

    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    assert await holder(keys, key) == who


async def test_wrong_keys_are_not_remembered() -> None:
    keys = ApiKeys({"ci": kept(OWN)})
    for _ in range(3):
        assert await refused(keys, OWN + "x") == "unknown API key"
        assert await holder(keys, OWN) == "ci"
    assert len(keys._verified) == 1, "callers must not be able to make it grow"


async def test_a_key_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ApiKeys({"ci": kept(OWN, expires="2040-01-01T00:00:00+01:00")})
    assert await holder(keys, OWN) == "ci"
    monkeypatch.setattr(module.time, "time", lambda: 2208985200.0)
    assert await refused(keys, OWN) == "the API key has expired"
    with pytest.raises(ValueError, match="timezone"):
        kept(OWN, expires="2040-01-01T00:00:00")


def write(path: Path, **keys: str) -> None:
    """Writes keys by id to a TOML file, which is replaced atomically."""
    new = path.with_suffix(".new")
    new.write_text("".join(f'[{name}]\nhash = "{hash_key(key)}"\nscopes = ["a"]\n' for name, key in keys.items()))
    new.replace(path)


async def test_a_changed_key_file_is_reloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.0)
    path, second = tmp_path / "keys.toml", new_key("second")
    write(path, ci=OWN)
    keys = ApiKeys({"fixed": kept(FOREIGN)}, path)
    assert await holder(keys, OWN) == "ci"
    write(path, ci=OWN, second=second)
    assert await holder(keys, second) == "second"
    write(path, second=second)
    assert await refused(keys, OWN) == "unknown API key"
    assert await holder(keys, second) == "second"
    assert await holder(keys, FOREIGN) == "fixed"


async def test_a_broken_key_file_leaves_the_keys_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.0)
    path = tmp_path / "keys.toml"
    write(path, ci=OWN)
    keys = ApiKeys({}, path)
    for text in ("no toml", f'[ci]\nhash = "{OWN}"\n', f'[CI]\nhash = "{hash_key(OWN)}"\n', "[ci]\n"):
        path.write_text(text)
        with caplog.at_level(logging.ERROR, "diptych.auth"):
            assert await holder(keys, OWN) == "ci"
        assert "the keys read before stay in use" in caplog.text
        assert OWN not in caplog.text
        caplog.clear()
    path.unlink()
    assert await holder(keys, OWN) == "ci"


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    with pytest.raises(KeyFileError, match="No such file"):
        ApiKeys({}, path)
    path.write_text(f'[ci]\nhash = "{OWN}"\n')
    with pytest.raises(KeyFileError, match=r"ci: .*hash") as wrong:
        ApiKeys({}, path)
    assert OWN not in str(wrong.value)


def test_reprs_and_errors_contain_no_secrets() -> None:
    hashed, secret = hash_key(OWN), "a secret of forty characters, or even more"
    jwt = {"issuer": "i", "audiences": ["a"], "secret": secret}
    settings = Settings.model_validate({"auth": {"api_keys": {"ci": {"hash": hashed}}, "jwt": jwt}})
    dumped = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert hashed not in dumped
    assert secret not in dumped
    credentials = Credentials(
        method="/a.B/C",
        origin=Origin(protocol="rest"),
        bearer="hidden-1",
        api_key="hidden-2",
        authorization="Bearer hidden-1",
        metadata=(("x-api-key", "hidden-2"),),
    )
    assert "hidden" not in f"{credentials!r} {credentials}"
    for wrong in (
        {"api_keys": {"ci": {"hash": "hidden-3"}}},
        {"jwt": {**jwt, "secret": "hidden-4"}},
        {"x": "hidden-5"},
    ):
        with pytest.raises(ValueError) as told:
            Settings.model_validate({"auth": wrong})
        assert "hidden" not in str(told.value)


def diptych(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return run("diptych.cli", *arguments, folder=Path.cwd(), env=os.environ, given=given)


async def test_the_command_makes_a_key_and_its_settings() -> None:
    made = diptych("auth", "new-key", "ci", "--scope", "cook", "--scope", "eat", "--role", "chef")
    assert (made.returncode, made.stderr) == (0, "")
    key, _, settings = made.stdout.partition("\n")
    read = Settings.model_validate(tomllib.loads(settings))
    assert key not in settings
    found = await ApiKeys(read.auth.api_keys).authenticate(shown(key))
    assert found is not None
    assert (found.id, *sorted(found.scopes), *found.roles) == ("ci", "cook", "eat", "chef")
    wrong = diptych("auth", "new-key", "C I")
    assert wrong.returncode != 0
    assert wrong.stderr.count("\n") == 1


async def test_the_command_hashes_a_key_from_standard_input() -> None:
    made = diptych("auth", "hash-key", given=FOREIGN + "\n")
    assert made.returncode == 0, made.stderr
    assert await holder(ApiKeys({"x": ApiKey.model_validate({"hash": made.stdout.strip()})}), FOREIGN) == "x"
    short = diptych("auth", "hash-key", given="short\n")
    assert short.returncode != 0
    assert "fewer than 32" in short.stderr
