"""Chats with servers that behave, and with servers that do not. Real sockets; the servers are in `servers`."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from artificer_services.ai.models.errors import (
    Broken,
    PromptTooLong,
    Refused,
    TimedOut,
    Unavailable,
    UpstreamExhausted,
)
from artificer_services.ai.models.settings import UpstreamChatSettings
from artificer_services.ai.models.upstream import chat as chat_module
from artificer_services.ai.models.upstream.chat import UpstreamChat
from artificer_services.ai.models.values import Chat, Delta, Finish, Message, Options, Tool, ToolCall, Usage
from artificer_services.kit.errors import ServiceError
from tests.services.ai.models.upstream.servers import DONE, END, Answer, Request, Server, head, hello, serve, text
from tests.waiting import PATIENCE, until

KEY = "key-that-no-one-may-see"
HELLO = Chat(messages=(Message(role="user", content="hello"),))
ANSWER = [Delta("Hel"), Delta("lo"), Delta(finish=Finish.STOP, usage=Usage(prompt=3, completion=2))]


@asynccontextmanager
async def model_at(url: str, **settings: Any) -> AsyncIterator[UpstreamChat]:
    model = UpstreamChat("m", UpstreamChatSettings(base_url=url, api_key=KEY, **settings))
    try:
        yield model
    finally:
        await model.stop()


@asynccontextmanager
async def model_of(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[UpstreamChat, Server]]:
    async with serve(*answers) as server, model_at(server.url, **settings) as model:
        yield model, server


async def answered(model: UpstreamChat, chat: Chat = HELLO) -> list[Delta]:
    return await collected(model.stream(chat))


async def collected(stream: AsyncGenerator[Sequence[Delta], None]) -> list[Delta]:
    async with aclosing(stream) as batches:
        return [delta async for batch in batches for delta in batch]


def answering(status: int, error: Any = None, **headers: str) -> Answer:
    return lambda request: request.answer(status, {"error": error or {"message": "no"}}, **headers)


async def cut_before_the_head(request: Request) -> None:
    request.cut()


async def cut_before_the_first_token(request: Request) -> None:
    await request.events(b": ping\n\n", end=False)
    request.cut()


async def cut_after_a_token(request: Request) -> None:
    await request.events(text("token "), end=False)
    request.cut()


async def silent(request: Request) -> None:
    await asyncio.Event().wait()


async def only_pings(request: Request) -> None:
    await request.events(end=False)
    while True:
        await request.event(b": ping\n\n")
        await asyncio.sleep(0)


async def silent_after_a_token(request: Request) -> None:
    await request.events(text("token "), end=False)
    await asyncio.Event().wait()


async def endless(request: Request) -> None:
    await request.events(end=False)
    while True:
        await request.event(text("token "))


async def test_an_answer_arrives_and_its_connection_is_used_again() -> None:
    async with model_of(hello) as (model, server):
        assert await answered(model) == ANSWER
        assert await answered(model) == ANSWER
    assert (len(server.requests), server.connections) == (2, 1)


async def test_the_request_is_openais() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    chat = Chat(
        messages=(
            Message(role="system", content="Be short."),
            Message(role="user", content="hello"),
            Message(role="assistant", tool_calls=(ToolCall(id="1", name="f", arguments="{}"),)),
            Message(role="tool", content="42", tool_call_id="1"),
        ),
        options=Options(max_tokens=5, temperature=0, top_p=0.5, stop=("x",), seed=3, json_schema=schema, more={"a": 1}),
        tools=(Tool(name="f", description="About f.", parameters=schema), Tool(name="g")),
        tool_choice="auto",
    )
    async with model_of(hello, model="their-name") as (model, server):
        await answered(model, chat)
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"bearer {KEY}"
    assert request.body == {
        "model": "their-name",
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "hello"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "content": "42", "tool_call_id": "1"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "temperature": 0,
        "top_p": 0.5,
        "stop": ["x"],
        "seed": 3,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": False},
        },
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "About f.", "parameters": schema}},
            {"type": "function", "function": {"name": "g"}},
        ],
        "tool_choice": "auto",
        "a": 1,
    }


async def test_a_closed_schema_is_strict_and_the_limit_has_the_configured_name() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    options = Options(json_schema=schema, max_tokens=7)
    async with model_of(hello, max_tokens_field="max_completion_tokens") as (model, server):
        await answered(model, Chat(messages=HELLO.messages, options=options))
    body = server.requests[0].body
    assert body["response_format"]["json_schema"]["strict"] is True
    assert (body["max_completion_tokens"], "max_tokens" in body) == (7, False)


async def test_the_query_of_the_base_url_is_kept() -> None:
    async with serve(hello) as server, model_at(f"{server.url}/?api-version=3") as model:
        await answered(model)
    assert server.requests[0].path == "/v1/chat/completions?api-version=3"


async def test_many_chunks_arrive_as_few_batches() -> None:
    async def many(request: Request) -> None:
        event = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
        chunk = b"%x\r\n%s\r\n" % (len(event), event)
        await request.write(
            head(200, **{"content-type": "text/event-stream", "transfer-encoding": "chunked"}) + chunk * 5000
        )
        await request.event(END)
        await request.write(b"0\r\n\r\n")

    async with model_of(many) as (model, _), aclosing(model.stream(HELLO)) as stream:
        batches: list[Sequence[Delta]] = [batch async for batch in stream]
    assert sum(len(batch) for batch in batches) == 5001
    assert len(batches) < 500


async def test_a_connection_that_breaks_after_the_last_token_spoils_nothing() -> None:
    async def cut_at_the_end(request: Request) -> None:
        await request.events(text("a"), END, end=False)
        request.cut()

    async with model_of(cut_at_the_end) as (model, _):
        assert await answered(model) == [Delta("a"), Delta(finish=Finish.STOP)]


async def test_an_answer_that_is_not_streamed_is_read() -> None:
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    async with model_of(lambda request: request.answer(200, whole)) as (model, _):
        assert await answered(model) == [Delta("Hello"), ANSWER[-1]]


async def test_an_answer_without_its_usage_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    async def held_open(request: Request) -> None:
        await request.events(text("a", "stop"), end=False)
        await asyncio.Event().wait()

    monkeypatch.setattr(chat_module, "_USAGE_SECONDS", 0.01)
    async with model_of(held_open) as (model, _):
        assert await answered(model) == [Delta("a"), Delta(finish=Finish.STOP)]


@pytest.mark.parametrize(
    "first",
    [
        answering(429, **{"retry-after": "0"}),
        answering(500),
        answering(503, **{"retry-after": "0.1"}),
        cut_before_the_head,
        cut_before_the_first_token,
    ],
)
async def test_a_failure_before_the_first_token_is_retried(first: Answer) -> None:
    async with model_of(first, hello) as (model, server):
        assert await answered(model) == ANSWER
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "error", "words", "tries"),
    [
        (answering(500), Unavailable, "answered 500", 2),
        (cut_before_the_head, Unavailable, "cannot be reached", 2),
        (cut_before_the_first_token, Unavailable, "cannot be reached", 2),
        (answering(429, **{"retry-after": "0"}), UpstreamExhausted, "no more requests", 2),
        (answering(429, **{"retry-after": "120"}), UpstreamExhausted, "no more requests", 1),
        (answering(503, **{"retry-after": "120"}), Unavailable, "answered 503", 1),
        (answering(401), Broken, "credentials", 1),
        (answering(404), Broken, "configured", 1),
        (answering(307, location="http://169.254.169.254/"), Broken, "configured", 1),
        (
            answering(400, {"message": "temperature is not supported", "param": "temperature"}),
            Refused,
            "not supported",
            1,
        ),
        (answering(400, {"message": "too long", "code": "context_length_exceeded"}), PromptTooLong, "too long", 1),
        (lambda request: request.answer(200, b"<html>", **{"content-type": "text/html"}), Broken, "content type", 1),
        (lambda request: request.answer(200, b"{", **{"content-type": "application/json"}), Broken, "not JSON", 1),
        (lambda request: request.answer(200, {"error": {"message": "no"}}), Broken, "reported an error", 1),
        (lambda request: request.events(b"data: garbage\n\n"), Broken, "not JSON", 1),
        (lambda request: request.events(b"garbage"), Broken, "breaks off", 1),
        (lambda request: request.events(), Broken, "breaks off", 1),
        (lambda request: request.events(b"data: " + b"x" * 4_000_000), Broken, "too large", 1),
        (lambda request: request.events({"error": {"message": "no", "code": 500}}), Broken, "reported an error", 1),
        (lambda request: request.write(b"SSH-2.0-OpenSSH\r\n\r\n"), Unavailable, "cannot be reached", 2),
    ],
)
async def test_failures_before_the_first_token(
    answer: Answer, error: type[ServiceError], words: str, tries: int
) -> None:
    async with model_of(answer, retries=1) as (model, server):
        with pytest.raises(error, match=words):
            await answered(model)
    assert len(server.requests) == tries


@pytest.mark.parametrize("answer", [silent, only_pings])
async def test_a_slow_first_token_is_not_waited_for_and_not_retried(answer: Answer) -> None:
    async with model_of(answer, timeout=1.5) as (model, server):
        with pytest.raises(TimedOut, match=r"did not begin its answer within 1\.5 seconds"):
            await answered(model)
        await asyncio.wait_for(server.left.wait(), PATIENCE)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error", "words", "settings"),
    [
        (cut_after_a_token, Broken, "broke in the middle", {}),
        (silent_after_a_token, TimedOut, "did not go on with its answer within 2 seconds", {"timeout": 2}),
        (endless, TimedOut, "did not end its answer within 2 seconds", {"answer_timeout": 2}),
        (endless, Broken, "too large", {"max_answer_bytes": 1_000_000}),
    ],
)
async def test_failures_after_the_first_token_are_not_retried(
    answer: Answer, error: type[ServiceError], words: str, settings: dict[str, Any]
) -> None:
    async with model_of(answer, **settings) as (model, server):
        stream = model.stream(HELLO)
        assert (await anext(stream))[0].text == "token "
        with pytest.raises(error, match=words):
            await collected(stream)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([text("Hel")], "breaks off"),
        ([text("Hel"), b"data: {\n\n", DONE], "not JSON"),
        ([text("Hel"), {"error": {"message": "no", "code": 400}}], "refuses the request: no"),
    ],
)
async def test_answers_that_go_wrong_in_the_middle(events: list[Any], words: str) -> None:
    async with model_of(lambda request: request.events(*events)) as (model, server):
        stream = model.stream(HELLO)
        assert await anext(stream) == [Delta("Hel")]
        with pytest.raises(ServiceError, match=words):
            await collected(stream)
    assert len(server.requests) == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with serve(hello) as server:
        url = server.url
    async with model_at(url, retries=0) as model:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await answered(model)


async def test_certificates_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with serve(hello, tls=context) as server:
        async with model_at(server.url, retries=0) as model:
            with pytest.raises(Unavailable, match="cannot be reached"):
                await answered(model)
        assert not server.requests
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        async with model_at(server.url) as model:
            assert await answered(model) == ANSWER


async def test_the_servers_wish_is_told_to_the_caller() -> None:
    async with model_of(answering(429, **{"retry-after": "77"})) as (model, _):
        with pytest.raises(UpstreamExhausted) as raised:
            await answered(model)
    assert raised.value.retry_seconds == 77


async def test_a_caller_who_leaves_closes_the_connection() -> None:
    async with model_of(endless) as (model, server):
        async with aclosing(model.stream(HELLO)) as batches:
            await anext(batches)
        await asyncio.wait_for(server.left.wait(), 10)


async def test_a_caller_who_leaves_before_the_first_token_closes_the_connection() -> None:
    async with model_of(silent) as (model, server):
        task = asyncio.create_task(answered(model))
        await until(lambda: server.requests)
        task.cancel()
        await asyncio.wait_for(server.left.wait(), 10)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_stop_ends_running_answers() -> None:
    async with model_of(silent_after_a_token) as (model, server):
        async with aclosing(model.stream(HELLO)) as batches:
            await anext(batches)
            await model.stop()
            with pytest.raises(Unavailable, match="stopping"):
                await anext(batches)
        await asyncio.wait_for(server.left.wait(), 10)
        with pytest.raises(Unavailable, match="stopping"):
            await answered(model)
    assert len(server.requests) == 1


async def test_stop_ends_requests_that_have_no_answer_yet() -> None:
    async with model_of(silent) as (model, server):
        task = asyncio.create_task(answered(model))
        await until(lambda: server.requests)
        await model.stop()
        with pytest.raises(Unavailable, match="stopping"):
            await task
    assert len(server.requests) == 1


async def test_a_server_that_keeps_failing_gets_no_more_requests() -> None:
    async with model_of(answering(500), retries=0, breaker_failures=2, breaker_seconds=60) as (model, server):
        for _ in range(2):
            with pytest.raises(Unavailable, match="answered 500"):
                await answered(model)
        with pytest.raises(Unavailable, match="retry later") as raised:
            await answered(model)
    assert len(server.requests) == 2
    assert (raised.value.retry_seconds or 0) > 10
    samples = {sample.name: sample.value for family in model.endpoint.breaker.collect() for sample in family.samples}
    assert samples["diptych_upstream_open"] == 1


async def test_refused_requests_do_not_open_the_circuit() -> None:
    async with model_of(answering(400), answering(429), hello, retries=0, breaker_failures=1) as (model, _):
        for error in (Refused, UpstreamExhausted):
            with pytest.raises(error):
                await answered(model)
        assert await answered(model) == ANSWER


async def test_refused_credentials_are_logged_once_and_the_key_never(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with model_of(answering(401, {"message": f"wrong key: {KEY}"}), breaker_failures=9) as (model, server):
        for _ in range(3):
            with pytest.raises(Broken) as raised:
                await answered(model)
            assert KEY not in f"{raised.value!r} {raised.value} {raised.value.__cause__}"
        shown = (
            f"{model!r} {model.info!r} {model.endpoint!r} {UpstreamChatSettings(base_url=server.url, api_key=KEY)!r}"
        )
    assert KEY not in caplog.text + shown
    assert [record.levelname for record in caplog.records if "answered 401" in record.getMessage()] == ["WARNING"]


async def test_a_key_in_the_url_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(hello, answering(500)) as server, model_at(f"{server.url}?key={KEY}", retries=0) as model:
        await answered(model)
        with pytest.raises(Unavailable) as raised:
            await answered(model)
    assert server.requests[1].path == f"/v1/chat/completions?key={KEY}"
    assert KEY not in caplog.text + str(raised.value)


async def test_a_prompt_is_estimated() -> None:
    async with model_at("http://127.0.0.1:9/v1") as model:
        assert await model.count(HELLO.messages) < await model.count(HELLO.messages * 2) < 30
