"""The pure modules of /assistant in Chromium: Markdown, citations, events, sentences and errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page

from artificer_services.kit.site import add_page
from diptych import Gateway, Settings
from tests.e2e.assistant.browsing import INDEX

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = [
    '<script>document.title = "taken"</script>',
    '<img src=x onerror="document.title = 1">',
    "[click](javascript:document.title=1)",
    "![x](data:text/html,<script>1</script>)",
    '<a href="https://example.org">x</a>',
    "<style>body { display: none }</style>",
    "`<b>`",
    "```<script>\n<script>1</script>\n```",
    "| <iframe src=//example.org> |",
    "**<svg onload=1>**",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(chromium: BrowserContext) -> AsyncIterator[Page]:
    """A page with the modules' origin and policy, which runs nothing by itself."""
    async with Gateway(Settings(http_port=0, grpc_port=0, grace_seconds=0)) as gateway:
        add_page(gateway.app, "/assistant", INDEX)
        opened = await chromium.new_page()
        await opened.goto(f"http://127.0.0.1:{gateway.http_port}/assistant/assets/access.js")
        yield opened
        await opened.close()


async def run(page: Page, module: str, body: str, *values: Any) -> Any:
    """Runs JavaScript with a module as `m` and values as `v`; returns what it returns."""
    script = "async ([path, v]) => { const m = await import(path); " + body + " }"
    return await page.evaluate(script, [f"/assistant/assets/{module}.js", list(values)])


async def markup(page: Page, text: str, citations: list[dict[str, Any]] | None = None) -> str:
    """Returns the markup of the elements that an answer is shown with."""
    body = "const place = document.createElement('div'); m.show(place, v[0], v[1], () => {}); return place.innerHTML"
    return str(await run(page, "rendered", body, text, citations or []))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\n\nthree", '<p dir="auto">one<br>two</p><p dir="auto">three</p>'),
        ("a **b *c*** and `d`", '<p dir="auto">a <strong>b <em>c</em></strong> and <code>d</code></p>'),
        ("2 * 3 * 4, a ** b, snake_case", '<p dir="auto">2 * 3 * 4, a ** b, snake_case</p>'),
        (r"\*not\* \[1\]", '<p dir="auto">*not* [1]</p>'),
        ("``a ` b`` and `open", '<p dir="auto"><code>a ` b</code> and `open</p>'),
        ("### A title ###\ntext", '<h6 dir="auto">A title</h6><p dir="auto">text</p>'),
        (
            "- a\n- b\n  - c\n\n- d",
            '<ul><li dir="auto">a</li><li dir="auto">b<ul><li dir="auto">c</li></ul></li><li dir="auto">d</li></ul>',
        ),
        ("3. x\n4. y", '<ol start="3"><li dir="auto">x</li><li dir="auto">y</li></ol>'),
        ("text\n1. x\nmore of x", '<p dir="auto">text</p><ol><li dir="auto">x<br>more of x</li></ol>'),
        ("> quoted\n> more", '<blockquote><p dir="auto">quoted<br>more</p></blockquote>'),
        ("a\n\n---\n\nb", '<p dir="auto">a</p><hr><p dir="auto">b</p>'),
        (
            "see [2] and [two](https://x.example/a)",
            '<p dir="auto">see [2] and <span class="link">two (<bdi>https://x.example/a</bdi>)</span></p>',
        ),
        ("", ""),
        ("**open and\n- ", '<p dir="auto">**open and<br>-</p>'),
    ],
)
async def test_markdown_becomes_elements(page: Page, text: str, expected: str) -> None:
    assert await markup(page, text) == expected


async def test_code_keeps_its_text_as_it_is(page: Page) -> None:
    text = "```python x\nif a < b:\n\n    **c** [1]\n"
    body = (
        "const place = document.createElement('div'); m.show(place, v[0], [], () => {});"
        " return [place.querySelector('pre').textContent, place.querySelector('.code-bar span').textContent]"
    )
    assert await run(page, "rendered", body, text) == ["if a < b:\n\n    **c** [1]\n", "python"]
    assert await run(page, "rendered", body, f"{text}```\nafter") == ["if a < b:\n\n    **c** [1]", "python"]


@pytest.mark.parametrize("text", HOSTILE)
async def test_markup_and_addresses_of_models_stay_text(page: Page, text: str) -> None:
    body = """
      const place = document.createElement('div');
      document.documentElement.append(place);
      m.show(place, v[0], [], () => {});
      const made = [...place.querySelectorAll('*')].map((one) => one.localName);
      const attributes = [...place.querySelectorAll('*')].flatMap((one) => one.getAttributeNames());
      place.remove();
      return [made, attributes, document.title];
    """
    made, attributes, title = await run(page, "rendered", body, text)
    assert set(made) <= {"p", "code", "strong", "span", "bdi", "pre", "div", "button"}
    assert set(attributes) <= {"dir", "class", "tabindex", "role", "aria-label", "type"}
    assert title == ""


async def test_a_control_of_direction_shows_in_code(page: Page) -> None:
    assert '<span class="control">U+202E</span>' in await markup(page, "`user\u202e` is fine")
    assert '<span class="control">U+2066</span>' in await markup(page, "```\na\u2066b\n```")


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "*",
        "**a ",
        "`",
        "> ",
        "- ",
        "``` `",
        "[a](",
        "\n",
        "#",
        "- - ",
        "![[",
        "\\",
        "` `` ``` ",
        "_x",
        "1. a\n",
        "a\n> ",
    ],
)
async def test_hostile_text_is_shown_in_linear_time(page: Page, piece: str) -> None:
    """A quadratic parser does not return within the minutes that CI gives."""
    text = piece * (100_000 // len(piece)) + "\nthe end"
    body = "const place = document.createElement('div'); m.show(place, v[0], [], () => {}); return place.textContent"
    assert (await run(page, "rendered", body, text)).rstrip("\n").endswith("the end")


def cited(passage: int, end: int, *, by: str = "SERVER", start: int = 0) -> dict[str, Any]:
    return {"passage": passage, "answerStart": start, "answerEnd": end, "origin": f"CITATION_ORIGIN_{by}"}


@pytest.mark.parametrize(
    ("text", "citations", "expected"),
    [
        ("One. Two.", [cited(2, 4)], "One.«2» Two."),
        ("One. Two.", [cited(1, 4), cited(3, 4), cited(2, 9)], "One.«1»«3» Two.«2»"),
        ("🚢 sails. Grüße", [cited(1, 8)], "🚢 sails.«1» Grüße"),  # code points, not UTF-16 units
        ("a **bold** word", [cited(1, 8)], "a bold«1» word"),
        ("One [2]. Two [2].", [cited(2, 3, by="MODEL"), cited(2, 13, by="MODEL", start=8)], "One «2». Two «2»."),
        ("One [1, 3; 9].", [cited(1, 14, by="MODEL"), cited(3, 14, by="MODEL")], "One «1»«3»."),
        ("One [3].", [cited(1, 8)], "One [3].«1»"),  # the model named a passage that is not there
        ("- first\n- second", [cited(1, 7)], "first«1»second"),
        ("```\ncode\n```", [cited(1, 12)], "Copy codecode«1»"),
        ("", [cited(1, 0)], "«1»"),
        ("One.", [cited(1, 999)], "One.«1»"),
    ],
)
async def test_citations_stand_behind_what_they_support(
    page: Page, text: str, citations: list[dict[str, Any]], expected: str
) -> None:
    body = """
      const place = document.createElement('div');
      m.show(place, v[0], v[1], () => {});
      for (const one of place.querySelectorAll('.cite')) one.textContent = `«${one.textContent}»`;
      return place.textContent;
    """
    assert await run(page, "rendered", body, text, citations) == expected


async def test_finished_blocks_keep_their_elements_while_text_arrives(page: Page) -> None:
    body = """
      const place = document.createElement('div');
      m.show(place, 'one\\n\\ntw', [], () => {});
      const [first, second] = place.children;
      m.show(place, 'one\\n\\ntwo\\n\\n- three', [], () => {});
      return [place.children[0] === first, place.children[1] === second, place.children.length];
    """
    assert await run(page, "rendered", body) == [True, False, 3]


@pytest.mark.parametrize(
    ("text", "quote", "start", "expected"),
    [
        ("It is so. It is so.", "It is so.", 10, ["It is so. ", "It is so.", ""]),
        ("🚢🚢 a b", "a", 3, ["🚢🚢 ", "a", " b"]),
        ("moved a bit", "a", 0, ["moved ", "a", " bit"]),
        ("text", "other", 0, None),
        ("text", "", 0, None),
    ],
)
async def test_a_quote_divides_its_passage(
    page: Page, text: str, quote: str, start: int, expected: list[str] | None
) -> None:
    assert await run(page, "citations", "return m.divide(...v) ?? null", text, quote, start) == expected


async def test_the_chunk_of_a_span_is_that_which_has_most_of_it(page: Page) -> None:
    chunks = [{"span": {"end": 20}}, {"span": {"start": 15, "end": 40}}, {"span": {"start": 40, "end": 60}}]
    body = "return v[0].indexOf(m.chunkOf(v[0], v[1]))"
    assert await run(page, "citations", body, chunks, {"start": 16, "end": 30}) == 1
    assert await run(page, "citations", body, chunks, {"start": 90, "end": 99}) == -1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_events_are_read_in_pieces_of_any_size(page: Page, size: int, end: str) -> None:
    event = "event: message{0}id: 1{0}data: one{0}data:two{0}{0}data{0}{0}event: end{0}data: {{}}{0}{0}: x"
    stream = f": comment{end}{end}" + event.format(end)
    body = "const p = new m.EventParser(); return v[0].flatMap((piece) => p.feed(piece))"
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert await run(page, "event_stream", body, pieces) == [
        {"type": "message", "data": "one\ntwo"},
        {"type": "message", "data": ""},
        {"type": "end", "data": "{}"},
    ]


@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_sentences_are_spoken_when_they_are_whole(page: Page, size: int) -> None:
    text = "The **first** one [1]. A value of 1.5 is fine! 三つ目。\n- an item\n```\ncode. more.\n```\nThe rest"
    body = "const s = new m.Sentences(); return [...v[0].flatMap((piece) => s.feed(piece)), '|', ...s.end()]"
    assert await run(page, "sentences", body, [text[at : at + size] for at in range(0, len(text), size)]) == [
        "The first one .",
        "A value of 1.5 is fine!",
        "三つ目。",
        "- an item",
        "Code follows.",
        "|",
        "The rest",
    ]


MISSING = '{"error": {"code": 404, "message": "there is no conversation"}}'
FAILED = '{"error": {"code": 500, "message": "it failed", "details": [{"requestId": "7"}]}}'


@pytest.mark.parametrize(
    ("status", "text", "expected", "request_id"),
    [
        (404, MISSING, "It is not there, or no longer. There is no conversation.", "mine"),
        (503, '{"code": 14, "message": "x"}', "The server is busy or stopping. X. Try again in 3 s.", "mine"),
        (400, '{"title": "Bad Request", "detail": "content: too long!"}', "Content: too long!", "mine"),
        (502, "<html>nginx</html>", "The server failed.", "mine"),
        (418, "", "The server answered 418.", "mine"),
        (0, FAILED, "The server failed. It failed.", "7"),  # the event `error` of a stream
    ],
)
async def test_errors_are_in_plain_words(page: Page, status: int, text: str, expected: str, request_id: str) -> None:
    headers = {"x-request-id": "mine", "retry-after": "3" if status == 503 else None} if status else {}
    body = "const f = m.failureOf(v[0], v[1], (name) => v[2][name] ?? null); return [f.message, f.requestId]"
    assert await run(page, "calls", body, status, text, headers) == [expected, request_id]
