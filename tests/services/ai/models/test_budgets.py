"""Tokens per minute and caller."""

from __future__ import annotations

import pytest

from artificer_services.ai.models.budgets import Budgets
from artificer_services.ai.models.errors import TokensExhausted


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_who_has_used_up_its_tokens_waits_as_long_as_the_error_says() -> None:
    clock = Clock()
    budgets = Budgets(600, clock)
    budgets.check("a")
    budgets.charge("a", 700)
    with pytest.raises(TokensExhausted, match="600 tokens per minute") as caught:
        budgets.check("a")
    budgets.check("b")
    assert caught.value.retry_seconds is not None
    clock.now += caught.value.retry_seconds - 0.2
    with pytest.raises(TokensExhausted):
        budgets.check("a")
    clock.now += 0.2
    budgets.check("a")


def test_a_bucket_is_full_again_after_a_minute() -> None:
    clock = Clock()
    budgets = Budgets(600, clock)
    budgets.charge("a", 600)
    clock.now += 60
    budgets.charge("a", 599)
    budgets.check("a")


def test_of_very_many_callers_those_are_remembered_that_have_used_the_most() -> None:
    budgets = Budgets(600, Clock())
    budgets.charge("greedy", 600)
    for number in range(25_000):
        budgets.charge(f"caller {number}", 1 + number % 3)
    assert budgets.remembered <= 10_000
    with pytest.raises(TokensExhausted):
        budgets.check("greedy")


def test_without_a_limit_nothing_is_refused() -> None:
    budgets = Budgets(0, Clock())
    budgets.charge("a", 1_000_000)
    budgets.check("a")
