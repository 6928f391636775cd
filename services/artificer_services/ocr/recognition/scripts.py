"""The scripts of Tesseract's languages, by the names that its script detection uses. Pure."""

from __future__ import annotations

_OTHERS = {
    "Arabic": "ara fas pus snd uig urd kur_ara",
    "Armenian": "hye",
    "Bengali": "asm ben",
    "Cherokee": "chr",
    "Cyrillic": "aze_cyrl bel bul kaz kir mkd mon rus srp tat tgk ukr uzb_cyrl",
    "Devanagari": "hin mar nep san",
    "Ethiopic": "amh tir",
    "Fraktur": "frk deu_frak dan_frak slk_frak deu_latf",
    "Georgian": "kat kat_old",
    "Greek": "ell grc",
    "Gujarati": "guj",
    "Gurmukhi": "pan",
    "Han": "chi_sim chi_tra chi_sim_vert chi_tra_vert",
    "Hangul": "kor kor_vert",
    "Hebrew": "heb yid",
    "Japanese": "jpn jpn_vert",
    "Kannada": "kan",
    "Khmer": "khm",
    "Lao": "lao",
    "Malayalam": "mal",
    "Myanmar": "mya",
    "Oriya": "ori",
    "Sinhala": "sin",
    "Syriac": "syr",
    "Tamil": "tam",
    "Telugu": "tel",
    "Thaana": "div",
    "Thai": "tha",
    "Tibetan": "bod dzo",
}
_BY_LANGUAGE = {name: script for script, names in _OTHERS.items() for name in names.split()}
_ALIASES = {"Korean": "Hangul", "HanS": "Han", "HanT": "Han", "Canadian": "Canadian_Aboriginal"}
# Script detection confuses these with one another on short texts.
_EAST_ASIAN = frozenset({"Han", "Hangul", "Japanese"})


def script_of(language: str) -> str:
    """Returns the script of a language by its Tesseract name; "script/Greek" is a language for the script."""
    if language.startswith("script/"):
        return plain_script(language.removeprefix("script/"))
    return _BY_LANGUAGE.get(language, "Latin")


def plain_script(name: str) -> str:
    """Returns the name of a script without the direction of writing, such as "Japanese" for "Japanese_vert"."""
    name = name.removesuffix("_vert")
    return _ALIASES.get(name, name)


def languages_of(script: str, installed: list[str]) -> list[str]:
    """Returns the installed languages that a page of a script may be in."""
    scripts = _EAST_ASIAN if script in _EAST_ASIAN else {script}
    return [name for name in installed if script_of(name) in scripts]
