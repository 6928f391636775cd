"""Picks the languages of a page among those of its script, by reading a few of its lines in each."""

from __future__ import annotations

from PIL import Image

from ..page.raster import Raster
from .engine import OcrEngine
from .languages import Languages
from .upright import paper

_MOST = 8  # languages to try; each costs about a tenth of the page's time
# Among more installed ones: the languages of most printed pages.
_FREQUENT = tuple(
    "eng deu fra spa por ita nld pol tur vie ces swe ron rus ukr chi_sim chi_tra jpn kor ara fas hin".split()  # noqa: SIM905
)
_ALIKE = 0.01  # two languages whose confidences differ by less are both used
_BAND = 400  # pixels of height that are read: some eight lines of a page at 200 dpi
_STEP = 40  # pixels


def pick_languages(
    engine: OcrEngine, languages: Languages, raster: Raster, found: list[str], defaults: tuple[str, ...]
) -> tuple[str, ...]:
    """Returns the language of `found` in which an upright image reads best, or two that read alike.

    Returns `defaults` if nothing was found.
    """
    if not found:
        return defaults
    order = [name for name in (*defaults, *_FREQUENT, *found) if name in found]
    tried = list(dict.fromkeys(order))[:_MOST]
    if len(tried) == 1:
        return tuple(tried)
    part = Raster(_densest(raster.image), raster.dpi)
    scores = {name: engine.read(part, languages.data((name,))).confidence for name in tried}
    best = sorted(tried, key=lambda name: -scores[name])  # stable: earlier ones win a tie
    return tuple(name for name in best[:2] if scores[name] > scores[best[0]] - _ALIKE)


def _densest(image: Image.Image) -> Image.Image:
    """Returns the band of an image, over its whole width, that has the most ink."""
    steps, wide = image.height // _STEP, _BAND // _STEP
    if steps <= wide:
        return image
    ground = paper(image)
    ink = [abs(value - ground) for value in image.resize((1, steps), Image.Resampling.BOX, reducing_gap=2.0).tobytes()]
    first = max(range(steps - wide + 1), key=lambda start: sum(ink[start : start + wide]))
    return image.crop((0, first * _STEP, image.width, first * _STEP + _BAND))
