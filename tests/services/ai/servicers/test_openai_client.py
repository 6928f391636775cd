"""OpenAI's own Python client, unchanged, against a running gateway, whose models are scripted or behind another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import openai
import pytest
import pytest_asyncio

from artificer_services.ai.build import AiSettings
from artificer_services.ai.models.settings import UpstreamChatSettings
from diptych import Settings
from diptych.auth import hash_key, new_key
from tests.services.ai.models.upstream.servers import hello
from tests.services.ai.models.upstream.servers import serve as serve_model
from tests.services.ai.servicers.doors import FOX, SCRIPTED, client_of, relaying
from tests.services.ai.serving import Faces, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: Any = [{"role": "user", "content": "hello"}]
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}},
    {"type": "function", "function": {"name": "time"}},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["scripted", "relayed"])
async def faces(request: pytest.FixtureRequest) -> AsyncIterator[Faces]:
    async with AsyncExitStack() as stack:
        if request.param == "scripted":
            yield await stack.enter_async_context(serve(SCRIPTED))
        else:
            front, _ = await stack.enter_async_context(relaying())
            yield front


@pytest_asyncio.fixture(loop_scope="module")
async def client(faces: Faces) -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(faces) as one:
        yield one


async def test_a_chat(client: openai.AsyncOpenAI) -> None:
    done = await client.chat.completions.create(model="fox", messages=HELLO)
    (choice,) = done.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", FOX, "stop")
    assert (done.object, done.model) == ("chat.completion", "fox")
    assert done.usage is not None
    assert done.usage.completion_tokens == 4
    assert done.usage.total_tokens == done.usage.prompt_tokens + 4


async def test_a_stream(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="fox", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "The", " quick", " brown", " fox.", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 5 + ["stop"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    assert {(chunk.object, chunk.model, chunk.usage) for chunk in chunks} == {("chat.completion.chunk", "fox", None)}


async def test_a_stream_with_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="fox", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = [chunk async for chunk in stream]
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 4


async def test_the_stream_helper_of_the_client(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="fox", messages=HELLO) as stream:
        done = await stream.get_final_completion()
    assert done.choices[0].message.content == FOX


async def test_the_synchronous_client(faces: Faces) -> None:
    def read() -> str:
        with openai.OpenAI(base_url=faces.url, api_key="none", max_retries=0) as client:
            stream = client.chat.completions.create(model="fox", messages=HELLO, stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await asyncio.to_thread(read) == FOX


async def test_parts_of_text_are_joined(client: openai.AsyncOpenAI) -> None:
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "say "}, {"type": "text", "text": "this"}]}]
    done = await client.chat.completions.create(model="echo", messages=parts)
    assert done.choices[0].message.content == "say this"


async def test_limits_and_stop_texts(client: openai.AsyncOpenAI) -> None:
    cut = await client.chat.completions.create(model="fox", messages=HELLO, max_tokens=9, max_completion_tokens=2)
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("The quick", "length")
    for stop in (" brown", ["xyz", " brown"]):
        done = await client.chat.completions.create(model="fox", messages=HELLO, stop=stop)
        assert (done.choices[0].message.content, done.choices[0].finish_reason) == ("The quick", "stop")


async def test_tools(client: openai.AsyncOpenAI) -> None:
    done = await client.chat.completions.create(model="tools", messages=HELLO, tools=TOOLS, tool_choice="auto")
    (choice,) = done.choices
    assert (choice.message.content, choice.finish_reason) == (None, "tool_calls")
    calls: Any = choice.message.tool_calls
    assert [(call.type, call.function.name, call.function.arguments) for call in calls] == [
        ("function", "weather", '{"city": "Oslo"}'),
        ("function", "time", "{}"),
    ]
    # The client's own form of the answer goes back with the results.
    back: Any = [
        *HELLO,
        choice.message.model_dump(),
        *({"role": "tool", "tool_call_id": call.id, "content": "5 degrees"} for call in calls),
    ]
    done = await client.chat.completions.create(model="tools", messages=back, tools=TOOLS)
    assert done.choices[0].message.content == FOX


async def test_streamed_tools(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="tools", messages=HELLO, tools=TOOLS) as stream:
        done = await stream.get_final_completion()
    calls = done.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["weather", "time"]


async def test_vectors(client: openai.AsyncOpenAI) -> None:
    texts = ["one fox", "two foxes", "one fox"]
    by_default = await client.embeddings.create(model="team/words", input=texts)  # the client asks for base64
    as_numbers = await client.embeddings.create(model="team/words", input=texts, encoding_format="float", dimensions=8)
    first, second = (np.array([item.embedding for item in made.data]) for made in (by_default, as_numbers))
    assert first.shape == (3, 8)
    assert np.allclose(first, second, atol=1e-8)
    assert np.allclose(np.linalg.norm(first, axis=1), 1)
    assert (first[0] == first[2]).all()
    assert [item.index for item in by_default.data] == [0, 1, 2]
    assert by_default.usage.prompt_tokens == by_default.usage.total_tokens == as_numbers.usage.total_tokens > 0
    alone = await client.embeddings.create(model="team/words", input="two foxes")
    assert np.allclose(alone.data[0].embedding, first[1])


async def test_models(client: openai.AsyncOpenAI) -> None:
    found = [model async for model in await client.models.list()]
    assert [model.id for model in found] == ["fox", "echo", "tools", "breaking", "team/words"]
    assert await client.models.retrieve("team/words") == found[-1]
    assert found[0].object == "model"
    with pytest.raises(openai.NotFoundError, match="there is no model"):
        await client.models.retrieve("none/such")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "none"}, "model: unknown model 'none'; expected one of: fox, echo"),
        ({"model": "team/words"}, "model: unknown model 'team/words'"),
        ({"messages": []}, "messages: expected at least one message"),
        ({"messages": [{"role": "king", "content": "x"}]}, r"messages\[0\].role: expected one of"),
        ({"messages": [{"role": "user", "content": ""}]}, r"messages\[0\].content: the content is empty"),
        ({"messages": [{"role": "user", "content": 3}]}, r"messages\[0\].content: expected a text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            r"messages\[0\].content\[0\].type: unsupported type 'image_url'",
        ),
        ({"messages": [{"role": "user", "content": "x", "mood": 3}]}, r"messages\[0\].mood: .* not supported"),
        ({"messages": [{"role": "user", "content": "x", "z" * 9000: 3}]}, r"messages\[0\].z{64}: .* not supported"),
        ({"messages": [{"role": "tool", "content": "x"}]}, r"messages\[0\].tool_call_id: expected the id"),
        ({"messages": [{"role": "assistant", "tool_calls": [3]}]}, r"messages\[0\].tool_calls\[0\]: expected a call"),
        ({"n": 2}, "n: expected 1"),
        ({"logprobs": True}, "logprobs: .* not supported"),
        ({"store": True}, "store: answers are not stored"),
        ({"temperature": 2.5}, "temperature: expected a number from 0 to 2"),
        ({"top_p": 0}, "top_p: expected"),
        ({"presence_penalty": 3}, "presence_penalty: expected"),
        ({"max_tokens": 0}, "max_tokens: expected at least 1"),
        ({"max_completion_tokens": 0}, "max_completion_tokens: expected at least 1"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop: expected at most 4 texts"),
        ({"stop": [3]}, "stop: expected a text, or a list of texts"),
        ({"response_format": {"type": "xml"}}, "response_format.type: expected one of"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema: expected a JSON schema"),
        ({"tools": [{"type": "function", "function": {"name": "no name"}}]}, r"tools\[0\].function.name: expected"),
        ({"tools": [{"type": "web_search"}]}, r"tools\[0\].type: expected a tool of type function"),
        ({"tools": TOOLS, "tool_choice": "always"}, "tool_choice: expected one of"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice.function.name: expected the name of one of the tools",
        ),
        ({"tool_choice": "required"}, "tool_choice: there are no tools"),
        ({"extra_body": {"top_k": 3}}, "top_k: unknown field"),
        ({"messages": [{"role": "user", "content": "many words " * 200}], "model": "echo"}, "tokens"),
        ({"stream": True, "messages": [{"role": "user", "content": "many words " * 200}], "model": "echo"}, "tokens"),
    ],
)
async def test_wrong_requests_are_refused_by_name(client: openai.AsyncOpenAI, fields: Any, text: str) -> None:
    with pytest.raises(openai.BadRequestError, match=text) as raised:
        await client.chat.completions.create(**{"model": "fox", "messages": HELLO, **fields})
    assert raised.value.status_code == 400


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "fox"}, "model: unknown model 'fox'; expected one of: team/words"),
        ({"input": []}, "input: expected a text"),
        ({"input": ""}, "input: the text is empty"),
        ({"input": ["a", ""]}, r"input\[1\]: the text is empty"),
        ({"input": [1, 2]}, "input: lists of tokens are not supported"),
        ({"input": ["a", True]}, r"input\[1\]: expected a text"),
        ({"input": [[1, 2]]}, "input: lists of tokens are not supported"),
        ({"input": ["a"] * 6}, "input: the request has 6 texts; at most 5"),
        ({"input": ["a", "x" * 40_000]}, r"input\[1\]: the text has 40,000 bytes"),
        ({"encoding_format": "int8"}, "encoding_format: expected float or base64"),
        ({"dimensions": 4}, "dimensions: the vectors of team/words have 8 values"),
    ],
)
async def test_wrong_requests_for_vectors_are_refused_by_name(
    client: openai.AsyncOpenAI, fields: Any, text: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=text):
        await client.embeddings.create(**{"model": "team/words", "input": "a", **fields})


async def test_an_error_in_a_stream_is_raised_by_the_client(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="breaking", messages=HELLO, stream=True)
    got = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
    assert got == ["", "The", " quick"]
    with pytest.raises(openai.APIError, match=r"breaks off|reported an error"):
        await anext(stream)


async def test_an_error_without_a_stream_is_a_status(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match=r"breaks off|reported an error"):
        await client.chat.completions.create(model="breaking", messages=HELLO)


async def test_a_schema_and_other_options_reach_the_models_server() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    async with serve_model(hello) as server:
        settings = AiSettings(chat_models={"m": UpstreamChatSettings(base_url=server.url)})
        async with serve(settings) as faces, client_of(faces) as client:
            await client.chat.completions.create(
                model="m",
                messages=HELLO,
                response_format=form,
                seed=7,
                logit_bias={"5": -100},
                frequency_penalty=0.5,
                reasoning_effort="low",
            )
    body = server.requests[0].body
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert (body["seed"], body["logit_bias"], body["frequency_penalty"]) == (7, {"5": -100}, 0.5)
    assert body["reasoning_effort"] == "low"


async def test_a_key_of_the_gateway_is_the_clients_key() -> None:
    key = new_key("team")
    auth = {"api_keys": {"team": {"hash": hash_key(key)}}}
    settings = Settings.model_validate({"http_port": 0, "grpc_port": 0, "auth": auth})
    async with serve(SCRIPTED, settings) as faces:
        async with client_of(faces, key) as client:
            done = await client.chat.completions.create(model="fox", messages=HELLO)
            assert done.choices[0].message.content == FOX
        async with client_of(faces, "wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="fox", messages=HELLO)
