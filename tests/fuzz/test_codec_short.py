"""The short form of `make fuzz-codec`: the engines of the JSON codec do not differ."""

from __future__ import annotations

import random

from .codec import run


def test_the_engines_do_not_differ() -> None:
    seed = random.getrandbits(32)  # pytest prints its own seed, from which this one derives
    assert run(500, seed, ["wire", "native", "fallback"]) is None, f"seed {seed}"
