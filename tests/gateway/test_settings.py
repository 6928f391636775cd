"""The settings: defaults and bounds, and that they read no environment."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from diptych.settings import MIB, Settings

DEFAULTS: dict[str, Any] = {
    "http_host": "127.0.0.1",  # an unconfigured gateway is not reachable from outside
    "http_port": 8080,
    "grpc_host": "127.0.0.1",
    "grpc_port": 50051,
    "max_body_bytes": 16 * MIB,
    "unknown_fields": "strict",
    "emit_defaults": True,
    "preserve_names": False,
    "enums_as_ints": False,
    "error_dialect": "google",
    "max_deadline_seconds": None,
    "metadata_allow": None,
    "metadata_deny": (),
    "debug": False,
}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_defaults(name: str, value: object) -> None:
    assert getattr(Settings(), name) == value


def test_no_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIPTYCH_HTTP_PORT", "HTTP_PORT", "http_port"):
        monkeypatch.setenv(name, "1")
    assert Settings().http_port == 8080


REFUSED = [
    ({"http_port": -1}, "below every port"),
    ({"http_port": 65536}, "above every port"),
    ({"grpc_port": "x"}, "no number"),
    ({"max_body_bytes": 0}, "no body at all"),
    ({"max_nesting_depth": 101}, "protobuf stops at 100"),
    ({"max_nesting_depth": 0}, "no JSON at all"),
    ({"max_elements": 0}, "no JSON at all"),
    ({"max_deadline_seconds": 0}, "every call would be over"),
    ({"grace_seconds": -1}, "time runs forward"),
    ({"unknown_fields": "maybe"}, "no policy"),
    ({"error_dialect": "xml"}, "no dialect"),
    ({"threads": 0}, "no servicer would run"),
    ({"htp_port": 1}, "a name nobody knows is a typing error"),
]


@pytest.mark.parametrize(("given", "_why"), REFUSED, ids=[row[1] for row in REFUSED])
def test_refuses(given: dict[str, Any], _why: str) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().http_port = 1


def test_a_method_can_have_its_own_body_limit() -> None:
    settings = Settings(max_body_bytes=10, method_max_body_bytes={"/a.B/C": 20})
    assert settings.body_limit("/a.B/C") == 20
    assert settings.body_limit("/a.B/D") == 10


def test_the_settings_of_services_are_in_no_repr() -> None:
    settings = Settings(services={"chat": {"database_url": "postgresql://me:secret@host/chat"}})
    assert "secret" not in repr(settings)
    assert "secret" not in str(settings)
