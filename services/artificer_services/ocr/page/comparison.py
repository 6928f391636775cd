"""Chooses between a page's text layer and the text that OCR found on the page. Pure."""

from __future__ import annotations

from unicodedata import category

from .plausibility import Plausibility, plausibility
from .reading import Comparison

_SURE = 0.75  # confidence of OCR in what is there to be read
_UNSURE = 0.6  # below it OCR mostly lacks the language or the script
_SOUND = 0.5  # quality of a layer that may be a language
_MARGIN = 0.1  # of quality, within which the pixels are believed
_FEW = 40  # letters, which are no page's text
_MORE, _FEWER = 1.3, 0.7  # of the letters of the layer: a layer has lost lines, or OCR has


def compare(text: str, layer: Plausibility, found: str, confidence: float) -> Comparison:
    """Returns which of two texts of a page is better: that of its layer, or that which OCR found."""
    ocr = plausibility(found)
    kept_ocr = _is_better(text, layer, found, ocr, confidence)
    return Comparison(layer=layer.quality, ocr=round(ocr.quality, 4), kept="ocr" if kept_ocr else "layer")


def _is_better(text: str, layer: Plausibility, found: str, ocr: Plausibility, confidence: float) -> bool:
    letters, others = _letters(text), _letters(found)
    if not letters or not others:
        return not letters
    if letters < _FEW and others > letters:  # a stamp on a scan
        return True
    sound = layer.quality >= _SOUND
    if sound and (confidence < _UNSURE or (layer.script and ocr.script != layer.script)):
        return False
    if others > _MORE * letters and confidence >= _SURE:
        return True
    if others < _FEWER * letters and not layer.doubtful:
        return False
    if confidence >= _SURE:
        return ocr.quality >= layer.quality - _MARGIN
    return ocr.quality * confidence > layer.quality


def _letters(text: str) -> int:
    """Returns the number of letters and digits, and of the vowel signs that many scripts write as marks."""
    return sum(char.isalnum() or (not char.isascii() and category(char) in ("Mn", "Mc")) for char in text)
