"""The estimate of tokens, beside the counts of SmolLM2's own tokenizer, taken from llama.cpp."""

from __future__ import annotations

import pytest

from artificer_services.ai.models.tokens import estimate


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        (" ", 1, 1),
        ("word", 1, 1),
        ("The quick brown fox jumps over the lazy dog.", 10, 12),
        ("internationalization", 3, 5),
        ("2026-11-29", 8, 10),  # a digit is a token of its own
        ("日本語のテキスト", 8, 8),
        ("Größenordnung", 3, 6),
    ],
)
def test_the_estimate_is_near(text: str, least: int, most: int) -> None:
    assert least <= estimate(text) <= most
