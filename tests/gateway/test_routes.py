"""The route table: precedence by shape, raw matching, decoding, verbs, and misses."""

from __future__ import annotations

import random
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.routes import Match, NoRoute, Route, RouteConflict, RouteTable, WrongMethod
from diptych.status import StatusError
from diptych.template import parse


def route(text: str) -> Route[str]:
    """From "VERB /template"; the target is the text."""
    verb, _, template = text.partition(" ")
    return Route(verb=verb, template=parse(template), target=text)


def table(*texts: str) -> RouteTable[str]:
    return RouteTable(map(route, texts))


def matched(routes: RouteTable[str], verb: str, path: str) -> tuple[str, ...] | None:
    """Returns the target and the values, or None if nothing matches."""
    found = routes.match(verb, path)
    return (found.route.target, *found.values) if isinstance(found, Match) else None


PRECEDENCE = [
    # (routes, path, the target and values, why)
    (["GET /users/me", "GET /users/{id}"], "/users/me", ("GET /users/me",), "a literal before *"),
    (["GET /users/me", "GET /users/{id}"], "/users/you", ("GET /users/{id}", "you"), "* for the others"),
    (["GET /a/{x}", "GET /a/{y=**}"], "/a/b", ("GET /a/{x}", "b"), "* before **"),
    (["GET /a/{x}", "GET /a/{y=**}"], "/a/b/c", ("GET /a/{y=**}", "b/c"), "** for more"),
    (["GET /a", "GET /a/{y=**}"], "/a", ("GET /a",), "an end before a ** of nothing"),
    (["GET /{x}/b", "GET /a/{y}"], "/a/b", ("GET /a/{y}", "b"), "segment by segment, from the left"),
    (["GET /a/b/c", "GET /a/{x}/d"], "/a/b/d", ("GET /a/{x}/d", "b"), "back from a literal that led nowhere"),
    (["GET /a/b/c", "GET /{x=**}"], "/a/b/d", ("GET /{x=**}", "a/b/d"), "back over two"),
    (["GET /a/{x}/c/d", "GET /a/{y=**}"], "/a/b/c/e", ("GET /a/{y=**}", "b/c/e"), "back from a *"),
    (["GET /a/{x}/{y}", "GET /{z}/b/c"], "/a/b/c", ("GET /a/{x}/{y}", "b", "c"), "the first literal decides"),
    (
        ["GET /{a}/x/{b=**}", "GET /{a}/{c}/y"],
        "/1/x/y",
        ("GET /{a}/x/{b=**}", "1", "y"),
        "a literal before a later one",
    ),
    (["GET /{x=**}/a", "GET /{x=**}"], "/b/a", ("GET /{x=**}/a", "b"), "more literals after **"),
    (["GET /{x=**}/a/b", "GET /{x=**}/b"], "/a/b", ("GET /{x=**}/a/b", ""), "** of nothing, and more literals"),
    (["GET /{x=**}/{y}", "GET /{x=**}/b"], "/a/b", ("GET /{x=**}/b", "a"), "a literal before * after **"),
    (["GET /{x=**}/a/{y}", "GET /{x=**}/{y}/b"], "/a/b", ("GET /{x=**}/{y}/b", "", "a"), "compared from the end"),
    (["GET /{x=**}/{y}", "GET /{x=**}"], "/a", ("GET /{x=**}/{y}", "", "a"), "* before nothing"),
    (["GET /a/{x=**}:v", "GET /a/{x=**}"], "/a/b/c:v", ("GET /a/{x=**}:v", "b/c"), "a verb before none"),
    (["GET /a/b", "POST /a/{x}"], "/a/b", ("GET /a/b",), "of one HTTP method"),
]


@pytest.mark.parametrize(("routes", "path", "expected", "_why"), PRECEDENCE, ids=[row[3] for row in PRECEDENCE])
@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "reversed"])
def test_precedence_is_by_shape_and_never_by_order(
    routes: list[str], path: str, expected: tuple[str, ...], _why: str, turn: int
) -> None:
    assert matched(table(*routes[::turn]), "GET", path) == expected


def test_a_method_is_found_behind_a_more_specific_shape() -> None:
    routes = table("GET /users/me", "POST /users/{id}")
    assert matched(routes, "POST", "/users/me") == ("POST /users/{id}", "me")


MISSES = ["", "/", "a", "/a", "/a/", "//a/b", "/a//b", "/a/b/", "/a/b//", "/a/b/c", "*", "/A/b", "http://h/a/b"]


@pytest.mark.parametrize("path", MISSES)
def test_a_trailing_slash_or_an_empty_segment_matches_nothing(path: str) -> None:
    assert table("GET /a/b", "GET /a/{x}").match("GET", path) == NoRoute()


@pytest.mark.parametrize("path", ["/a/", "/a//", "/a//b", "/a/b/", "/a/b//c"])
def test_not_even_for_a_double_wildcard(path: str) -> None:
    assert table("GET /a/{x=**}").match("GET", path) == NoRoute()


def test_a_double_wildcard_may_match_no_segment() -> None:
    assert matched(table("GET /a/{x=**}"), "GET", "/a") == ("GET /a/{x=**}", "")
    assert matched(table("GET /{x=**}"), "GET", "/") == ("GET /{x=**}", "")
    assert matched(table("GET /a/{x=**}/b"), "GET", "/a/b") == ("GET /a/{x=**}/b", "")


DECODED = [
    # (template, raw path, values, why)
    ("/a/{x}", "/a/b%20c", ("b c",), "a space"),
    ("/a/{x}", "/a/b+c", ("b+c",), "a plus is a plus in a path"),
    ("/a/{x}", "/a/b%2Fc", ("b/c",), "a slash too, in one segment"),
    ("/a/{x}", "/a/%C3%A9", ("é",), "UTF-8"),
    ("/a/{x}", "/a/%c3%a9", ("é",), "in small letters"),
    ("/a/{x}", "/a/\xc3\xa9", ("é",), "UTF-8 that nobody escaped"),
    ("/a/{x}", "/a/%2525", ("%25",), "once, not twice"),
    ("/a/{x}", "/a/..", ("..",), "dots are text: nothing is removed"),
    ("/a/{x}", "/a/%00", ("\0",), "a null"),
    ("/a/{x=**}", "/a/b%20c/d%2Fe/f%2fg", ("b c/d%2Fe/f%2fg",), "all but %2F, in many segments"),
    ("/{x=a/*}", "/a/b%2Fc%20d", ("a/b%2Fc d",), "two segments are many"),
    ("/{x=**}", "/%C3%A9/%2F", ("é/%2F",), "both"),
    ("/{x=a/*}/{y}", "/a/%62/%63", ("a/b", "c"), "each by its own rule"),
    ("/{x=**}/t/u", "/a%20b/c/t/u", ("a b/c",), "literals after"),
    ("/{x=a/**}/{y}", "/a/b/c%2Fd/e%2Ff", ("a/b/c%2Fd", "e/f"), "a variable after"),
    ("/{x=**}/{y=t/*}/{z}", "/a/b/t/%63/d", ("a/b", "t/c", "d"), "several after"),
    ("/**/{y}", "/a/b/c", ("c",), "after one without a variable"),
    ("/{w}/**/{y}/u/{z}", "/a/b/c/u/d", ("a", "c", "d"), "before and after"),
    ("/a%20b/{x}", "/%61%20b/c", ("c",), "literals are compared decoded"),
    ("/a%2Fb/{x}", "/a%2fb/c", ("c",), "an escaped slash is the literal's"),
    ("/%C3%A9/{x}", "/\xc3\xa9/c", ("c",), "a literal nobody escaped"),
]


@pytest.mark.parametrize(("template", "path", "values", "_why"), DECODED, ids=[row[3] for row in DECODED])
def test_variables_are_decoded(template: str, path: str, values: tuple[str, ...], _why: str) -> None:
    assert matched(table(f"GET {template}"), "GET", path) == (f"GET {template}", *values)


def test_an_escaped_slash_separates_nothing() -> None:
    assert table("GET /a/b").match("GET", "/a%2Fb") == NoRoute()
    assert table("GET /a%2Fb").match("GET", "/a/b") == NoRoute()


MALFORMED = [
    # (template, path, the named field)
    ("/a/{x}", "/a/%", "x"),
    ("/a/{x}", "/a/%2", "x"),
    ("/a/{x}", "/a/%zz", "x"),
    ("/a/{x}", "/a/b%%20", "x"),
    ("/a/{x}", "/a/%FF", "x"),
    ("/a/{x}", "/a/%C3", "x"),
    ("/a/{x}", "/a/\xff", "x"),
    ("/a/{x}", "/a/%ED%A0%80", "x"),
    ("/a/{x=**}", "/a/b/%zz", "x"),
    ("/a/{x=**}", "/a/%C3/%A9", "x"),
    ("/a/{x=**}", "/a/%C3%2F%A9", "x"),
    ("/a/{x}/{y.z}", "/a/b/%FF", "y.z"),
    ("/a/*/{x}", "/a/%FF/b", ""),
    ("/a/**", "/a/%zz", ""),
]


@pytest.mark.parametrize(("template", "path", "field"), MALFORMED)
def test_a_malformed_escape_or_invalid_utf8_is_the_clients_error(template: str, path: str, field: str) -> None:
    with pytest.raises(StatusError) as caught:
        table(f"GET {template}").match("GET", path)
    assert caught.value.status.http_status == 400
    assert caught.value.status.message.startswith(f"{field}: " if field else "the path")


VERBS = ["GET /users/{id}", "POST /users/{id}:lock", "POST /users:batch", "GET /files/{p=**}:stat", "GET /files/{p=**}"]
SPLIT = [
    # (method, path, the target and values, why)
    ("POST", "/users/7:lock", ("POST /users/{id}:lock", "7"), "a verb"),
    ("POST", "/users:batch", ("POST /users:batch",), "on a literal"),
    ("GET", "/users/user:123", ("GET /users/{id}", "user:123"), "no verb is called 123: an id"),
    ("GET", "/users/7:stat", ("GET /users/{id}", "7:stat"), "a verb of another shape: an id"),
    ("GET", "/users/7:lock", ("GET /users/{id}", "7:lock"), "a verb of another method: an id"),
    ("POST", "/users/a:b:lock", ("POST /users/{id}:lock", "a:b"), "the last colon"),
    ("POST", "/users/7%3Alock", None, "an escaped colon splits nothing"),
    ("GET", "/users/7%3Alock", ("GET /users/{id}", "7:lock"), "and is text in an id"),
    ("POST", "/users/7:%6Cock", ("POST /users/{id}:lock", "7"), "the verb itself may be escaped"),
    ("POST", "/users/a%20b:lock", ("POST /users/{id}:lock", "a b"), "beside an escape"),
    ("POST", "/users/:lock", None, "nothing is no id"),
    ("POST", "/users/7:lock:", None, "an empty verb"),
    ("POST", "/users/7:Lock", None, "a verb has a case"),
    ("GET", "/files/a:stat/b", ("GET /files/{p=**}", "a:stat/b"), "only the last segment is split"),
    ("GET", "/files/a/b:stat", ("GET /files/{p=**}:stat", "a/b"), "after many segments"),
    ("GET", "/files:stat", ("GET /files/{p=**}:stat", ""), "after none"),
]


@pytest.mark.parametrize(("method", "path", "expected", "_why"), SPLIT, ids=[row[3] for row in SPLIT])
def test_a_verb_splits_only_where_it_is_registered(
    method: str, path: str, expected: tuple[str, ...] | None, _why: str
) -> None:
    assert matched(table(*VERBS), method, path) == expected


def test_a_literal_may_have_an_escaped_colon() -> None:
    routes = table("GET /a%3Ab", "GET /x:b")
    assert matched(routes, "GET", "/a:b") == ("GET /a%3Ab",)
    assert matched(routes, "GET", "/a%3Ab") == ("GET /a%3Ab",)


ALLOWED = [
    # (method, path, allowed methods)
    ("DELETE", "/users/7", ("GET", "HEAD", "OPTIONS")),
    ("GET", "/users:batch", ("OPTIONS", "POST")),
    ("DELETE", "/users/7:lock", ("GET", "HEAD", "OPTIONS", "POST")),
    ("OPTIONS", "/users/7", ("GET", "HEAD", "OPTIONS")),
    ("get", "/users/7", ("GET", "HEAD", "OPTIONS")),
    ("", "/users/7", ("GET", "HEAD", "OPTIONS")),
]


@pytest.mark.parametrize(("method", "path", "allowed"), ALLOWED)
def test_another_method_says_which_are_allowed(method: str, path: str, allowed: tuple[str, ...]) -> None:
    assert table(*VERBS).match(method, path) == WrongMethod(allowed)


def test_allowed_are_the_methods_of_every_shape_that_fits() -> None:
    routes = table("GET /a/{x}", "PUT /a/b", "PURGE /a/{x=**}", "DELETE /a")
    assert routes.match("POST", "/a/b") == WrongMethod(("GET", "HEAD", "OPTIONS", "PURGE", "PUT"))


def test_head_follows_get_unless_it_has_its_own_route() -> None:
    for texts in (["GET /a", "HEAD /a"], ["HEAD /a", "GET /a"]):
        assert matched(table(*texts), "HEAD", "/a") == ("HEAD /a",)
        assert matched(table(*texts), "GET", "/a") == ("GET /a",)
    assert matched(table("GET /a/{x}", "HEAD /{y=**}"), "HEAD", "/a/b") == ("GET /a/{x}", "b")
    assert table("POST /a").match("HEAD", "/a") == WrongMethod(("OPTIONS", "POST"))


def test_custom_methods_and_options_are_methods_like_any_other() -> None:
    routes = table("PURGE /a/{x}", "OPTIONS /a/{x}")
    assert matched(routes, "PURGE", "/a/b") == ("PURGE /a/{x}", "b")
    assert matched(routes, "OPTIONS", "/a/b") == ("OPTIONS /a/{x}", "b")


CONFLICTS = [
    ("GET /a/{x}", "GET /a/{y}"),
    ("GET /a/{x}", "GET /a/*"),
    ("GET /{x=a/*}", "GET /a/{y}"),
    ("POST /a/{x=**}", "POST /a/**"),
    ("POST /a/{x=**}/b:c", "POST /a/**/b:c"),
    ("GET /a%62", "GET /ab"),
    ("HEAD /a", "HEAD /a"),
]


@pytest.mark.parametrize(("one", "other"), CONFLICTS)
def test_two_routes_of_the_same_method_and_shape_are_refused(one: str, other: str) -> None:
    routes = table(one)
    with pytest.raises(RouteConflict) as caught:
        routes.add(route(other))
    assert caught.value.route.target == other
    assert caught.value.before.target == one
    assert one in str(caught.value)
    assert other in str(caught.value)
    assert len(routes) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /a/{x}", "POST /a/{x}"),
        ("GET /a/{x}", "GET /a/{x}:v"),
        ("GET /a/{x}", "GET /a/{x=**}"),
        ("GET /a/{x=**}", "GET /a/{x=**}/b"),
        ("GET /a/%2A", "GET /a/*"),
        ("GET /a%2Fb", "GET /a/b"),
    ],
)
def test_distinguishable_shapes_coexist(one: str, other: str) -> None:
    assert [str(each) for each in table(one, other)] == [one, other]


def test_every_shape_that_fits_is_shown_best_first() -> None:
    routes = table("GET /{x=**}", "POST /a/{x}", "GET /a/b", "GET /a/{x}", "GET /a/{x}:v", "GET /c")
    assert [str(one) for one in routes.shaped("/a/b")] == ["GET /a/b", "POST /a/{x}", "GET /a/{x}", "GET /{x=**}"]
    assert [str(one) for one in routes.shaped("/a/b:v")] == ["GET /a/{x}:v", "POST /a/{x}", "GET /a/{x}", "GET /{x=**}"]
    assert routes.shaped("nothing") == []


# Generated cases: a table against matching each template separately.

SEGMENTS = st.sampled_from(["a", "b", "*"])
TEMPLATES = st.builds(
    lambda segments, rest, tail, verb: (
        "/" + "/".join([*segments, *(["**", *tail] if rest else [])] or ["a"]) + (f":{verb}" if verb else "")
    ),
    st.lists(SEGMENTS, max_size=3),
    st.booleans(),
    st.lists(SEGMENTS, max_size=2),
    st.sampled_from(["", "", "v"]),
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "a:v", "b:w", ""]), min_size=1, max_size=5).map(
    lambda segments: "/" + "/".join(segments)
)


def fits(template: str, path: str) -> tuple[int, ...] | None:
    """Returns how specific each segment of a matching template is, or None: the specification, implemented naively."""
    parsed = parse(template)
    if parsed.verb is not None:
        head, colon, tail = path.rpartition(":")
        if not colon or tail != parsed.verb or head.endswith("/"):
            return None
        path = head
    segments = path.split("/")[1:] if path != "/" else []
    if "" in segments:
        return None
    kinds = [str(segment) for segment in parsed.segments]
    beyond = len(segments) - len(kinds)
    if "**" in kinds and beyond >= -1:
        at = kinds.index("**")
        wide = [*kinds[:at], *["**"] * (beyond + 1), *kinds[at + 1 :]]
        tail_length = len(kinds) - at - 1
    else:
        wide, tail_length = kinds, 0
    if len(wide) != len(segments):
        return None
    if any(kind not in ("*", "**", segment) for kind, segment in zip(wide, segments, strict=True)):
        return None
    end = wide.index("**") if "**" in wide else len(wide) - (tail_length if "**" in kinds else 0)
    rank = [{"*": 1}.get(kind, 2) for kind in wide[:end]]
    after = [{"*": 1}.get(kind, 2) for kind in reversed(kinds[len(kinds) - tail_length :])]
    return (parsed.verb is not None, *rank, *([0, *after, 0] if "**" in kinds else [3]))


@given(st.lists(TEMPLATES, max_size=8, unique_by=lambda text: parse(text).shape), PATHS, st.randoms())
def test_agrees_with_matching_each_template_separately(templates: list[str], path: str, order: random.Random) -> None:
    order.shuffle(templates)
    ranked = [(rank, text) for text in templates if (rank := fits(text, path)) is not None]
    found = matched(table(*(f"GET {text}" for text in templates)), "GET", path)
    assert (found[0] if found else None) == (f"GET {max(ranked)[1]}" if ranked else None)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_every_text_round_trips_through_its_escaped_path(texts: list[str]) -> None:
    names = [f"x{index}" for index in range(len(texts))]
    template = "/v/" + "/".join("{" + name + "}" for name in names)
    path = "/v/" + "/".join(quote(text, safe="", errors="surrogatepass") for text in texts)
    assert matched(table(f"GET {template}"), "GET", path) == (f"GET {template}", *texts)


@given(st.lists(st.text(min_size=1), max_size=4))
def test_a_double_wildcard_keeps_escaped_slashes(texts: list[str]) -> None:
    path = "/v" + "".join("/" + quote(text, safe="") for text in texts)
    expected = "/".join(text.replace("/", "%2F") for text in texts)
    assert matched(table("GET /v/{x=**}"), "GET", path) == ("GET /v/{x=**}", expected)


@given(st.text(max_size=20).map(lambda text: text.encode().decode("latin-1")) | st.text("/%:aé*2F", max_size=12))
def test_every_path_is_a_match_a_miss_or_a_clients_error(path: str) -> None:
    routes = table("GET /a", "GET /a/{x}", "POST /a/{x}:v", "GET /{x=**}/b")
    with suppress(StatusError):
        assert isinstance(routes.match("GET", path), Match | NoRoute | WrongMethod)
