"""https: URIs: hosts of the settings alone, public addresses alone, and only as much as the limits allow."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import trustme

from artificer_services.ai.reading.addresses import is_public
from artificer_services.ai.reading.errors import FetchFailed, FetchTimeout
from artificer_services.ai.reading.settings import ReadingSettings
from artificer_services.ai.reading.sources import Sources
from artificer_services.kit.errors import Invalid, NotFound
from artificer_services.kit.settings import InvalidSetting

Answer = bytes | Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def web(answers: dict[str, Answer], tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server of HTTP/1.1 on a free port, with an answer for each path; yields the port and the heads it receives."""
    heads: list[bytes] = []
    calls: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            calls.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            answer = answers[head.split()[1].decode()]
            if callable(answer):
                await answer(head, writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        for task in calls:  # such as those whose answers never come
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


def ok(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers, b"", body))


async def local(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def sources(port: int, *, limit: int = 1000, seconds: float = 20.0) -> Sources:
    """Sources whose only host is docs.example on a port, which may be private."""
    hosts = (f"http://docs.example:{port}",)
    settings = ReadingSettings(private_hosts=hosts, max_asset_bytes=limit, fetch_seconds=seconds)
    return Sources(settings, find=local)


async def test_a_url_of_a_configured_host_is_read() -> None:
    async with web({"/a/report.md?x=1": ok(b"# Report", b"content-type: text/markdown")}) as (port, heads):
        found = await sources(port).uri(f"http://docs.example:{port}/a/report.md?x=1")
    assert (found.data, found.content_type, found.filename) == (b"# Report", "text/markdown", "report.md")
    assert f"host: docs.example:{port}".encode() in heads[0].lower()
    assert b"accept-encoding: identity" in heads[0].lower()


async def test_tls_checks_the_name_and_not_the_address(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("docs.example").configure_cert(context)
    with authority.cert_pem.tempfile() as file:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        async with web({"/a": ok(b"text")}, context) as (port, _):
            hosts = (f"docs.example:{port}", f"https://other.example:{port}")
            source = Sources(ReadingSettings(private_hosts=hosts), find=local)
            assert (await source.uri(f"https://docs.example:{port}/a")).data == b"text"
            with pytest.raises(FetchFailed):
                await source.uri(f"https://other.example:{port}/a")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a",
        "http://docs.example/a",  # the setting without a scheme is https
        "https://docs.example:8443/a",
        "https://docs.example.evil.example/a",
        "https://docs.example./a",
        "https://docs.example@evil.example/a",
        "https://user:password@docs.example/a",
        "https://evil.example/@docs.example",
        "https://evil.example#@docs.example",
        "https://evil.example\\@docs.example/a",
        "https://docs.example%2eevil.example/a",
        "https://localhost/a",
        "https://127.0.0.1/a",
        "https://2130706433/a",  # 127.0.0.1 as a number
        "https://0x7f.1/a",
        "https://0177.0.0.1/a",
        "https://[::1]/a",
        "https://[::ffff:127.0.0.1]/a",
        "https://169.254.169.254/latest/meta-data/",
        "https:///a",
        "https:docs.example/a",
        "https://docs.example:99999/a",
        "https://docs.exa\u00admple/a",
    ],
)
async def test_other_hosts_are_refused_before_a_name_is_resolved(url: str) -> None:
    async def find(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    source = Sources(ReadingSettings(hosts=("docs.example",)), find=find)
    with pytest.raises(Invalid) as error:
        await source.uri(url)
    assert error.value.faults[0].field == "uri"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["93.184.216.34", "192.168.1.1"],  # one of several
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["::1"],
        ["fe80::1%eth0"],
        ["fd00::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],  # NAT64 of 10.0.0.1
        ["2002:a00:1::1"],  # 6to4 of 10.0.0.1
        ["::127.0.0.1"],
        ["no address"],
    ],
)
async def test_a_name_with_a_private_address_is_refused(addresses: list[str]) -> None:
    async def find(host: str, port: int) -> Sequence[str]:
        return addresses

    with pytest.raises(Invalid, match="private network"):
        await Sources(ReadingSettings(hosts=("docs.example",)), find=find).uri("https://docs.example/a")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


async def test_a_redirect_stays_on_its_host() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n"
    answers: dict[str, Answer] = {
        "/old": moved % b"/new",
        "/new": ok(b"here"),
        "/away": moved % b"http://169.254.169.254/latest",
        "/scheme": moved % b"file:///etc/passwd",
        "/loop": moved % b"/loop",
    }
    async with web(answers) as (port, heads):
        source, base = sources(port), f"http://docs.example:{port}"
        assert (await source.uri(f"{base}/old")).data == b"here"
        for path in ("/away", "/scheme"):
            with pytest.raises(Invalid, match="redirects to another host"):
                await source.uri(base + path)
        heads.clear()
        with pytest.raises(Invalid, match="more than 3 times"):
            await source.uri(f"{base}/loop")
        assert len(heads) == 4


async def test_a_name_that_changes_its_address_is_checked_again_at_a_redirect() -> None:
    addresses = iter([["127.0.0.1"], []])

    async def find(host: str, port: int) -> Sequence[str]:
        return next(addresses)

    moved = b"HTTP/1.1 302 Found\r\nlocation: /new\r\ncontent-length: 0\r\n\r\n"
    async with web({"/old": moved, "/new": ok(b"here")}) as (port, heads):
        settings = ReadingSettings(private_hosts=(f"http://docs.example:{port}",))
        with pytest.raises(FetchFailed, match="no address"):
            await Sources(settings, find=find).uri(f"http://docs.example:{port}/old")
        assert len(heads) == 1


async def test_the_size_is_limited_while_it_arrives() -> None:
    sent = 0

    async def endless(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 1 << 30:
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    async with web({"/endless": endless, "/stated": ok(b"x" * 1001), "/fits": ok(b"x" * 1000)}) as (port, _):
        source, base = sources(port), f"http://docs.example:{port}"
        for path in ("/endless", "/stated"):
            with pytest.raises(Invalid, match="larger than 1,000 bytes"):
                await source.uri(base + path)
        assert len((await source.uri(f"{base}/fits")).data) == 1000
    assert sent < 1 << 30


async def test_a_host_that_is_slow_or_fails() -> None:
    async def silent(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def dripping(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nx")
        await writer.drain()
        await asyncio.Event().wait()

    answers: dict[str, Answer] = {
        "/silent": silent,
        "/dripping": dripping,
        "/missing": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "/broken": b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
        "/private": b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n",
        "/zipped": ok(b"zip", b"content-encoding: gzip"),
        "/junk": b"junk\r\n\r\n",
        "/cut": b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nx",
    }
    async with web(answers) as (port, _):
        base = f"http://docs.example:{port}"
        for path in ("/silent", "/dripping"):
            with pytest.raises(FetchTimeout, match=r"within 0\.2 seconds"):
                await sources(port, seconds=0.2).uri(base + path)
        for path, kind in {
            "/missing": NotFound,
            "/broken": FetchFailed,
            "/private": Invalid,
            "/zipped": Invalid,
            "/junk": FetchFailed,
            "/cut": FetchFailed,
        }.items():
            with pytest.raises(kind):
                await sources(port).uri(base + path)
    with pytest.raises(FetchFailed) as error:  # nobody listens any more
        await sources(port).uri(f"{base}/silent")
    assert "127.0.0.1" not in error.value.message


@pytest.mark.parametrize("host", ["docs.example/path", "ftp://docs.example", "a@docs.example", "https://", "", "*"])
def test_hosts_of_settings_are_checked(host: str) -> None:
    if host == "*":  # a name like any other; it matches nothing else
        assert ReadingSettings(hosts=(host,))
        return
    with pytest.raises(InvalidSetting, match="must be such as"):
        ReadingSettings(hosts=(host,))
