"""The character error rate. Pure."""

from __future__ import annotations


def distance(truth: str, text: str) -> int:
    """Returns the Levenshtein distance by Myers' bit-vector algorithm (Hyyrö 2003): a page takes milliseconds."""
    if not truth:
        return len(text)
    places: dict[str, int] = {}
    for index, char in enumerate(truth):
        places[char] = places.get(char, 0) | 1 << index
    mask, top = (1 << len(truth)) - 1, 1 << (len(truth) - 1)
    plus, minus, score = mask, 0, len(truth)
    for char in text:
        equal = places.get(char, 0)
        vertical = equal | minus
        horizontal = (((equal & plus) + plus) ^ plus) | equal
        up, down = minus | ~(horizontal | plus) & mask, plus & horizontal
        score += bool(up & top) - bool(down & top)
        up = (up << 1 | 1) & mask
        plus, minus = (down << 1 | ~(vertical | up)) & mask, up & vertical
    return score


def error_rate(truths: list[str], texts: list[str]) -> float:
    """Returns the share of wrong characters, in percent; line breaks and runs of spaces count as one space."""
    pairs = [(" ".join(truth.split()), " ".join(text.split())) for truth, text in zip(truths, texts, strict=True)]
    return 100 * sum(distance(*pair) for pair in pairs) / sum(len(truth) for truth, _ in pairs)
