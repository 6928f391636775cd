"""Makes the tables of pairs of letters by which the OCR service tells languages from nonsense.

`python -m codegen.bigrams FOLDER` reads the profiles of langdetect 1.0.9 (Apache-2.0, counts from Wikipedia, the folder
`langdetect/profiles` of its source distribution) and writes `ocr/page/bigrams.txt`. A line with a tab starts a script
and names its languages; each other line is a pair of letters, and for each language one character: its cost in units of
0.3 bits, counted from "!". A space is the edge of a word.
"""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from pathlib import Path

TABLES = Path(__file__).parents[1] / "services/artificer_services/ocr/page/bigrams.txt"

SCRIPTS = {
    "Latin": "af ca cs cy da de en es et fi fr hr hu id it lt lv nl no pl pt ro sk sl so sq sv sw tl tr vi",
    "Cyrillic": "bg mk ru uk",
    "Greek": "el",
    "Arabic": "ar fa ur",
    "Hebrew": "he",
    "Thai": "th",
    "Devanagari": "hi mr ne",
    "Bengali": "bn",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
}
STEP, FIRST, MISSING = 0.3, 33, 17.0  # as in page/plausibility.py
RAREST = 2e-5  # share of a language's pairs


def main(folder: Path) -> None:
    """Write the tables of all scripts."""
    lines: list[str] = []
    for script, names in SCRIPTS.items():
        languages = names.split()
        table: dict[str, list[float]] = {}
        for place, language in enumerate(languages):
            pairs = count_pairs(json.loads((folder / language).read_text(encoding="utf-8"))["freq"], script)
            total = sum(pairs.values())
            for pair, count in pairs.items():
                if count / total >= RAREST:
                    costs = table.setdefault(pair, [MISSING] * len(languages))
                    costs[place] = min(MISSING, -math.log2(count / total))
        lines.append(f"{script}\t{' '.join(languages)}")
        lines += [
            pair + "".join(chr(FIRST + round(cost / STEP)) for cost in costs) for pair, costs in sorted(table.items())
        ]
    TABLES.write_text("\n".join(lines) + "\n", encoding="utf-8")


def count_pairs(profile: dict[str, int], script: str) -> dict[str, int]:
    """Returns how often each pair of letters of a script is in a profile, in small letters."""
    pairs: dict[str, int] = {}
    for text, count in profile.items():
        pair = text.lower()
        if len(text) == len(pair) == 2 and all(char == " " or is_letter(char, script) for char in pair):
            pairs[pair] = pairs.get(pair, 0) + count
    return pairs


def is_letter(char: str, script: str) -> bool:
    """Whether a character is a letter, or a mark on one, of a script."""
    return unicodedata.category(char) in ("Ll", "Lo", "Lm", "Mn", "Mc") and script.upper() in unicodedata.name(char, "")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
