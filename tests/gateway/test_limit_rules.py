"""Rules of limits: valid settings, the keys of calls, and counting rates in memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from diptych import Gateway, Settings
from diptych.auth import Principal
from diptych.limits import LimitError
from diptych.limits.keys import address_of, key_of, waits
from diptych.limits.windows import STRATEGIES, Moving, Sliding
from diptych.origin import Origin
from diptych.settings.limits import LimitRule
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.commands import run
from tests.conftest import Serve
from tests.kitchen import Kitchen

BOTH_WAYS = True

ROOT = Path(__file__).parents[2]
SERVICE = "/kitchen.v1.KitchenService"
RATED = [{"rate": "1/day"}]


@pytest.mark.parametrize(
    ("rate", "calls", "seconds"),
    [
        ("100/minute", 100, 60),
        ("5 per 10 seconds", 5, 10),
        ("1/second", 1, 1),
        (" 7/2 hours ", 7, 7200),
        ("3 per day", 3, 86400),
    ],
)
def test_rates_are_parsed(rate: str, calls: int, seconds: int) -> None:
    assert LimitRule(rate=rate).parsed == (calls, seconds)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"rules": [{}]}, "a rule needs rate, concurrent or both"),
        ({"rules": [{"rate": "many/minute"}]}, "expected a rate such as 100/minute"),
        ({"rules": [{"rate": "0/minute"}]}, "expected a rate such as 100/minute"),
        ({"rules": [{"rate": "5/fortnight"}]}, "expected a rate such as 100/minute"),
        ({"rules": [{"concurrent": 0}]}, "greater than 0"),
        ({"rules": [{"rate": "1/second", "methods": "GetDish"}]}, "expected /package.Service/Method"),
        ({"rules": [{"rate": "1/second", "methods": []}]}, "expected /package.Service/Method"),
        ({"rules": [{"rate": "1/second", "by": ["method", "method"]}]}, "twice"),
        ({"rules": [{"rate": "1/second", "by": "weather"}]}, "principal"),
        ({"rules": [{"rate": "1/second", "name": 'a"b'}]}, "invalid name; expected at most 63 letters"),
        (
            {"rules": RATED, "storage_url": "memcached://127.0.0.1"},
            "storage_url; expected one that begins with redis://",
        ),
    ],
)
def test_invalid_limits_are_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(limits=wrong)  # type: ignore[arg-type]


def test_errors_do_not_contain_the_storages_password() -> None:
    settings = Settings(limits={"rules": RATED, "storage_url": "redis://:hunter2@127.0.0.1/0"})  # type: ignore[arg-type]
    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError) as wrong:
        Settings(limits={"rules": RATED, "storage_url": "http://:hunter2@127.0.0.1"})  # type: ignore[arg-type]
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (
            {"rules": [{"rate": "1/second", "methods": f"{SERVICE}/Nothing"}]},
            f"no served method matches {SERVICE}/Nothing",
        ),
        ({"rules": [{"rate": "1/second", "methods": "/other.*"}]}, r"no served method matches /other\.\*"),
        (
            {"rules": [{"rate": "1/second", "name": "one"}, {"rate": "2/second", "name": "one"}]},
            "two rules have the name 'one'",
        ),
        ({"max_bytes_in_flight": 1000}, "max_bytes_in_flight is 1000, but one body may have 16777216 bytes"),
    ],
)
def test_inconsistent_limits_stop_the_start(limits: dict[str, Any], why: str) -> None:
    def built() -> None:
        gateway = Gateway(Settings(limits=limits))  # type: ignore[arg-type]
        pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
        gateway.build()

    with pytest.raises(LimitError, match=why):
        built()


@pytest.mark.parametrize(
    ("peer", "prefix", "address"),
    [
        ("ipv4:192.0.2.1:4711", 64, "192.0.2.1"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:80", 64, "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:80", 128, "2001:db8:1:2:3:4:5:6/128"),
        ("ipv6:%5B2001:db8:1:2::1%5D:80", 48, "2001:db8:1::/48"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:80", 64, "192.0.2.1"),  # IPv4 on a dual-stack listener
        ("unix:/run/x", 64, "unix:/run/x"),
        ("unknown:", 64, "unknown:"),
    ],
)
def test_an_address_is_cut_to_the_prefix(peer: str, prefix: int, address: str) -> None:
    assert address_of(peer, prefix) == address


def test_keys_of_different_kinds_never_collide() -> None:
    key = key_of(("principal",), 64)
    nobody, ada, other = Origin("rest", "ipv4:192.0.2.1:1"), Origin("rest"), Origin("rest")
    ada.notes["principal"] = Principal(id="192.0.2.1", kind="jwt")
    other.notes["principal"] = Principal(id="192.0.2.1", kind="api-key")
    assert len({key(known, "/a/b") for known in (nobody, ada, other)}) == 3
    assert key_of((), 64)(nobody, "/a/b") == key_of((), 64)(ada, "/c/d"), "nothing to tell them by: all are one"
    both = key_of(("method", "principal"), 64)
    assert both(ada, "/a/b") != both(ada, "/a/c")


def test_only_keys_that_need_the_connection_wait_for_it() -> None:
    early, known = Origin("grpc"), Origin("grpc")
    early.settled = known.settled = False
    known.notes["principal"] = Principal(id="a", kind="jwt")
    assert waits(("principal",), early)
    assert waits(("address",), known)
    assert not waits(("principal", "method"), known)
    assert not waits(("method",), early)
    assert not waits(("address",), Origin(protocol="rest"))


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("make", [Sliding, Moving])
def test_a_rate_is_used_up_and_resets(make: Callable[..., Any]) -> None:
    clock = Clock()
    window = make(3, 10, 100, clock)
    assert [(one.allowed, one.left) for one in (window.hit("a") for _ in range(4))] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
    ]
    assert window.hit("b").allowed
    clock.now += window.hit("a").seconds + 1e-6
    assert window.hit("a").allowed, "a call is allowed at the announced time"


@given(
    calls=st.integers(1, 5),
    seconds=st.integers(1, 20),
    waits=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=60),
)
def test_no_window_has_more_than_its_calls(calls: int, seconds: int, waits: list[float]) -> None:
    clock = Clock(0.0)
    window = Moving(calls, seconds, 100, clock)
    came: list[float] = []
    for wait in waits:
        clock.now += wait
        if window.hit("a").allowed:
            came.append(clock.now)
    for at in came:
        assert len([one for one in came if at - seconds < one <= at]) <= calls


@given(calls=st.integers(1, 50), waits=st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=80))
def test_a_refusal_says_when_to_retry(calls: int, waits: list[float]) -> None:
    clock = Clock(0.0)
    window = Sliding(calls, 10, 100, clock)
    for wait in waits:
        clock.now += wait
        told = window.hit("a")
        assert 0 <= told.left < calls
        if not told.allowed:
            clock.now += told.seconds + 1e-3
            assert window.hit("a").allowed


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_idle_callers_are_forgotten(strategy: str) -> None:
    window: Any = STRATEGIES[strategy](1, 10, 1000)
    clock = window._clock = Clock(1000.0)
    for number in range(500):
        window.hit(str(number))
    assert len(window.cells) == 500
    clock.now += 21
    assert window.hit("1").allowed
    assert len(window.cells) <= 500
    clock.now += 41
    window.hit("2")
    assert len(window.cells) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_number_of_remembered_callers_is_bounded(strategy: str) -> None:
    window: Any = STRATEGIES[strategy](1, 3600, 100)
    for number in range(5000):
        window.hit(str(number))
    assert len(window.cells) <= 200


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    given = {"DIPTYCH_LIMITS__RULES": '[{"rate": "1/day", "methods": "/nobody.Serves/*"}]'}
    ports = {"DIPTYCH_HTTP_PORT": "0", "DIPTYCH_GRPC_PORT": "0"}
    env = {**os.environ, **given, **ports, "PYTHONPATH": f"{ROOT}/tests/gen:{ROOT}"}
    return run("diptych.cli", *words, "tests.kitchen_app:create", folder=ROOT, env=env)


def test_the_command_prints_an_inconsistent_limit_in_one_line() -> None:
    serving = _command("serve")
    assert (serving.returncode, serving.stderr) == (1, "diptych: limits: no served method matches /nobody.Serves/*\n")


async def _dishes(http: httpx2.AsyncClient, times: int) -> list[int]:
    return [(await http.get("/v1/dishes/1")).status_code for _ in range(times)]


async def test_every_matching_rule_applies(serve: Serve) -> None:
    rules = [{"name": "day", "rate": "3/day"}, {"name": "burst", "by": "address", "rate": "2/hour"}]
    async with serve(limits={"rules": rules}) as served:
        answers = [await served.http.get("/v1/dishes/1") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"day";q=3;w=86400, "burst";q=2;w=3600'
    assert [item.partition(";t=")[0] for item in answers[0].headers["ratelimit"].split(", ")] == [
        '"day";r=2',
        '"burst";r=1',
    ]
    assert answers[2].json()["error"]["message"] == "the limit burst is used up: 2 calls in 3600 seconds"


async def test_methods_can_be_counted_separately(serve: Serve) -> None:
    async with serve(limits={"rules": [{"by": "method", "rate": "1/day"}]}) as served:
        assert await _dishes(served.http, 2) == [200, 429]
        assert (await served.http.get("/v1/dishes/special")).status_code == 200


async def test_all_calls_can_be_counted_together(serve: Serve) -> None:
    async with serve(limits={"rules": [{"by": [], "rate": "1/day"}]}) as served:
        assert await _dishes(served.http, 1) == [200]
        refused = await served.http.get("/v1/dishes/special")
    assert refused.status_code == 429
    assert refused.headers["ratelimit-policy"] == '"all";q=1;w=86400'


async def test_limit_headers_can_be_off(serve: Serve) -> None:
    async with serve(limits={"rules": [{"rate": "1/day"}], "headers": False}) as served:
        answers = [await served.http.get("/v1/dishes/1") for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 429]
    assert not [name for one in answers for name in one.headers if name.startswith("ratelimit")]
    assert int(answers[1].headers["retry-after"]) >= 1, "when to come again is said all the same"


async def test_without_rules_there_are_no_limit_headers(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.http.get("/v1/dishes/1")
        assert served.gateway.limits.table is None
    assert not [name for name in answer.headers if "rate" in name or name == "retry-after"]
