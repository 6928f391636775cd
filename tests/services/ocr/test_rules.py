"""The rooms that compute: routing, resolutions, languages, turns, order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from PIL import Image

from artificer_services.kit.workers.fair import FairQueue
from artificer_services.ocr.build import OcrSettings, build
from artificer_services.ocr.errors import BadChoice, BadDocument, TooLarge
from artificer_services.ocr.images import ImageFile
from artificer_services.ocr.page.content import PageContent
from artificer_services.ocr.page.plausibility import Plausibility
from artificer_services.ocr.page.raster import check_page, choose_dpi
from artificer_services.ocr.page.routing import Reason, count_text, decide
from artificer_services.ocr.recognition.languages import find_languages
from artificer_services.ocr.workers.order import in_order


def sight(
    chars: int, *, bad: int = 0, invisible: int = 0, cover: float = 0.0, drawings: int = 0, image_pixels: int = 0
) -> PageContent:
    return PageContent(
        text="x" * chars,
        chars=chars,
        bad=bad,
        invisible=invisible,
        cover=cover,
        drawings=drawings,
        image_pixels=image_pixels,
    )


@pytest.mark.parametrize(
    ("page", "threshold", "keep", "reason"),
    [
        (sight(2000), 100, False, Reason.TEXT_LAYER),
        (sight(3), 100, False, Reason.TEXT_LAYER),  # there is nothing else to read
        (sight(0), 100, False, Reason.BLANK),
        (sight(0, drawings=29), 100, False, Reason.BLANK),  # rules and boxes
        (sight(0, drawings=30), 100, False, Reason.VECTOR_TEXT),
        (sight(0, cover=0.05), 100, False, Reason.BLANK),  # a logo
        (sight(0, cover=0.06), 100, False, Reason.IMAGE),
        (sight(19, cover=0.06), 100, False, Reason.IMAGE),
        (sight(20, cover=0.06), 100, False, Reason.TEXT_LAYER),  # a title with a figure
        (sight(399, cover=0.66), 100, False, Reason.SPARSE_TEXT),  # a stamp over a scan
        (sight(400, cover=0.66), 100, False, Reason.TEXT_LAYER),  # text over a background picture
        (sight(100, bad=11), 100, False, Reason.GARBLED),
        (sight(100, bad=10), 100, False, Reason.TEXT_LAYER),  # bullets in private use
        (sight(100, invisible=51, cover=1), 100, False, Reason.INVISIBLE_TEXT_KEPT),  # it reads well
        (sight(100, invisible=51, cover=1), 100, True, Reason.INVISIBLE_TEXT_KEPT),
        (sight(10, invisible=10), 100, False, Reason.INVISIBLE_TEXT_KEPT),
        (sight(500, invisible=50, cover=1), 100, False, Reason.TEXT_LAYER),  # a hidden word does no harm
        (sight(0, cover=1), 0, False, Reason.BLANK),  # an explicit 0: no page lacks text
        (sight(5, cover=1), 0, False, Reason.TEXT_LAYER),
        (sight(150, cover=0.06), 1000, False, Reason.IMAGE),  # the shares scale with the threshold
        (sight(150), 1000, False, Reason.BELOW_THRESHOLD),
        (sight(1000), 1000, False, Reason.TEXT_LAYER),
        (sight(0), 1000, False, Reason.BLANK),
    ],
)
def test_the_rule(page: PageContent, threshold: int, keep: bool, reason: Reason) -> None:
    decision = decide(page, threshold=threshold, keep=keep)
    assert decision.reason is reason
    assert decide(page, threshold=threshold, keep=keep, force=True).reason is Reason.FORCED
    assert decide(page, threshold=threshold, keep=keep, force=True).usable == decision.usable


@pytest.mark.parametrize(
    ("page", "keep", "reason"),
    [
        (sight(2000), False, Reason.IMPLAUSIBLE_TEXT),
        (sight(100, bad=11), False, Reason.GARBLED),
        (sight(100, invisible=51, cover=1), False, Reason.INVISIBLE_TEXT),
        (sight(100, invisible=51, cover=1), True, Reason.INVISIBLE_TEXT_KEPT),  # the request asks for it
        (sight(19, cover=0.06), False, Reason.IMAGE),
    ],
)
def test_the_rule_for_text_that_looks_like_no_language(page: PageContent, keep: bool, reason: Reason) -> None:
    assert decide(page, keep=keep, layer=Plausibility(0.4)).reason is reason


def test_only_what_pixels_may_contradict_is_unsettled() -> None:
    assert not decide(sight(2000), layer=Plausibility(0.4)).settled
    assert not decide(sight(100, invisible=100)).settled
    assert decide(sight(100, invisible=100), keep=True).settled
    assert decide(sight(2000)).settled


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", (0, 0)),
        ("a b\n c", (3, 0)),
        ("Käse für 5 €", (9, 0)),
        ("\ufffd\ufffd x", (3, 2)),
        ("\x01\x02ab", (4, 2)),
        ("\ue000\uf8ff", (2, 2)),  # private use
        ("日本語", (3, 0)),
    ],
)
def test_characters_are_counted(text: str, counts: tuple[int, int]) -> None:
    assert count_text(text) == counts


@pytest.mark.parametrize(
    ("asked", "native", "dpi"),
    [
        (None, 0, 200),  # drawn text: the cap
        (None, 300, 200),
        (None, 150, 150),  # a scan is never enlarged
        (300, 150, 150),
        (300, 600, 300),
        (300, 0, 300),
        (None, 20, 72),  # a thumbnail stretched over a page, unreadable below this
    ],
)
def test_the_resolution(asked: int | None, native: float, dpi: int) -> None:
    assert choose_dpi(595, 842, asked=asked, native=native, cap=200, limit=100_000_000) == dpi


def test_a_large_page_is_rendered_coarsely_and_refused_only_at_a_requested_resolution() -> None:
    a0 = (2384, 3370)
    assert choose_dpi(*a0, asked=None, native=0, cap=200, limit=20_000_000) == 113
    with pytest.raises(BadChoice, match="at most 113 dpi"):
        choose_dpi(*a0, asked=200, native=0, cap=200, limit=20_000_000)
    check_page(*a0, 1, 20_000_000)
    with pytest.raises(TooLarge):
        check_page(2384, 9000, 1, 20_000_000)
    with pytest.raises(TooLarge):
        check_page(1, 40_000, 1, 20_000_000)  # a strip too long for Tesseract's picture formats


def _install(folder: Path, *names: str) -> str:
    for name in names:
        path = folder / f"{name}.traineddata"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(folder)


def test_languages_are_found_by_folder(tmp_path: Path) -> None:
    folder = _install(tmp_path, "fra", "osd", "script/Latin")
    languages = find_languages((folder,))
    assert {"deu", "eng", "fra", "script/Latin"} <= set(languages.installed)
    assert "osd" not in languages.installed
    assert languages.osd == folder
    assert languages.choose(("fra", "script/Latin")) == ("fra", "script/Latin")
    assert languages.data(("fra", "script/Latin")) == (folder, "fra+script/Latin")
    assert languages.choose(("eng+deu", "eng")) == ("eng", "deu")


def test_languages_of_tesseracts_own_variable_are_found(tmp_path: Path) -> None:
    folder = _install(tmp_path / "tessdata", "tlh")
    for prefix in (folder, str(tmp_path)):
        languages = find_languages(environment={"TESSDATA_PREFIX": prefix})
        assert languages.data(("tlh",)) == (folder, "tlh")


def test_languages_in_different_folders_are_combined(tmp_path: Path) -> None:
    one, two = _install(tmp_path / "one", "fra"), _install(tmp_path / "two" / "deep", "spa", "script/Greek")
    folder, names = find_languages((one, two)).data(("fra", "spa", "script/Greek"))
    assert [(Path(folder) / name).resolve() for name in names.split("+")] == [
        Path(one) / "fra",
        Path(two) / "spa",
        Path(two) / "script/Greek",
    ]
    odd = _install(tmp_path / "a+b", "ita")
    with pytest.raises(BadChoice, match="different folders"):
        find_languages((one, odd)).choose(("fra", "ita"))


def test_auto_stands_alone() -> None:
    assert find_languages().choose(("auto",)) == ("auto",)
    with pytest.raises(BadChoice, match="combined"):
        find_languages().choose(("auto", "eng"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"languages": ("tlh",)}, "services.ocr.languages"),
        ({"languages": ()}, "at least one"),
        ({"workers": -1}, "workers"),
        ({"page_timeout": 0}, "page_timeout"),
        ({"pdf_engine": "poppler"}, "pdf_engine"),
        ({"ocr_engine": "cuneiform"}, "ocr_engine"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(OcrSettings(**settings))  # type: ignore[arg-type]  # that they are wrong is the point


async def test_turns_alternate_between_documents() -> None:
    queue: FairQueue[str] = FairQueue()
    for page in range(3):
        queue.put(1, f"long {page}")
    assert await queue.take() == (1, "long 0")
    queue.put(2, "short")
    assert await queue.take() == (2, "short")  # it has nothing running
    queue.done(1)
    queue.done(2)
    assert await queue.take() == (1, "long 1")
    queue.put_back(1, "long 1")
    queue.done(1)
    assert await queue.take() == (1, "long 1")
    queue.remove(1, "long 2")
    queue.done(1)
    assert (len(queue), queue._documents) == (0, {})


async def test_a_waiter_cancelled_when_woken_wakes_the_next() -> None:
    queue: FairQueue[str] = FairQueue()
    leaving, staying = (asyncio.create_task(queue.take()) for _ in range(2))
    await asyncio.sleep(0)
    queue.put(1, "page")
    leaving.cancel()
    assert await staying == (1, "page")


async def batches(*lists: list[int]) -> AsyncIterator[list[int]]:
    for each in lists:
        yield each


async def test_results_are_in_order_regardless_of_completion() -> None:
    gates = {number: asyncio.Event() for number in range(6)}
    begun: list[int] = []

    async def work(number: int) -> int:
        begun.append(number)
        await gates[number].wait()
        return number

    results = in_order(batches([0, 1], [2, 3, 4, 5]), work, lambda _: False, width=3)
    async with aclosing(results):
        first = asyncio.ensure_future(anext(results))
        gates[1].set()
        gates[2].set()
        gates[0].set()
        assert await first == 0
        assert begun == [0, 1]
        assert [await anext(results) for _ in range(2)] == [1, 2]
        gates[3].set()
        assert await anext(results) == 3
        assert len(begun) == 6


async def test_results_before_a_failure_are_yielded_first() -> None:
    async def failing() -> AsyncIterator[list[int]]:
        yield [1, 2]
        raise BadDocument("page 3")

    async def work(number: int) -> int:
        return number

    seen: list[int] = []
    with pytest.raises(BadDocument):  # noqa: PT012  # the loop is what raises
        async for number in in_order(failing(), work, lambda _: False, width=1):
            seen.append(number)
    assert seen == [1, 2]


def test_a_very_long_image_keeps_its_size(tmp_path: Path) -> None:
    """Tesseract takes no such number of pixels, so that the image is reduced, and its resolution with it."""
    path = tmp_path / "long.png"
    Image.new("L", (40_000, 20), "white").save(path, dpi=(300, 300))
    with closing(ImageFile(str(path), max_pages=1, max_pixels=1_000_000)) as file:
        raster = file.raster(0, None, 200)
    assert raster.image.width < 32_768
    assert raster.image.width * 72 / raster.dpi == pytest.approx(9600, rel=0.01)
