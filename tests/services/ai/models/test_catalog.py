"""What the catalog checks, charges, counts and measures, with models of kind scripted."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from artificer_services.ai.models.catalog import Models
from artificer_services.ai.models.errors import Broken, PromptTooLong, Refused, TokensExhausted, UnknownModel
from artificer_services.ai.models.scripted import ScriptedChat
from artificer_services.ai.models.settings import (
    ModelsSettings,
    ScriptedChatSettings,
    ScriptedEmbeddingSettings,
    UpstreamChatSettings,
    UpstreamEmbeddingSettings,
)
from artificer_services.ai.models.values import Chat, Finish, Message, Options, Tool, Usage
from artificer_services.kit.errors import Invalid
from tests.waiting import until_here


def models_of(chat: ScriptedChatSettings | None = None, **settings: Any) -> Models:
    return Models(
        ModelsSettings(
            chat_models={"echo": chat or ScriptedChatSettings()},
            embedding_models={"words": ScriptedEmbeddingSettings(batch_texts=2, max_text_bytes=100)},
            **settings,
        )
    )


def asking(text: str = "one two three", tools: tuple[Tool, ...] = (), **options: Any) -> Chat:
    return Chat(messages=(Message(role="user", content=text),), options=Options(**options), tools=tools)


async def answer(models: Models, chat: Chat, caller: str = "") -> tuple[str, Finish | None, Usage | None]:
    deltas = [delta async for batch in models.generate("", chat, caller=caller) for delta in batch]
    return "".join(delta.text for delta in deltas), deltas[-1].finish, deltas[-1].usage


def scripted(models: Models) -> ScriptedChat:
    model = models.chat_model("echo")
    assert isinstance(model, ScriptedChat)
    return model


def sample(models: Models, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    for collector in models.collectors:
        registry.register(collector)
    return registry.get_sample_value(name, labels)


async def test_an_answer_ends_with_its_reason_and_its_usage() -> None:
    models = models_of()
    assert await answer(models, asking()) == ("one two three", Finish.STOP, Usage(prompt=4, completion=3))
    assert await answer(models, asking(max_tokens=2)) == ("one two", Finish.LENGTH, Usage(prompt=4, completion=2))
    assert (await answer(models, asking(stop=(" two",))))[:2] == ("one", Finish.STOP)
    assert sample(models, "artificer_ai_requests_total", model="echo", outcome="ok") == 3
    assert sample(models, "artificer_ai_tokens_total", model="echo", direction="input") == 12
    assert sample(models, "artificer_ai_tokens_total", model="echo", direction="output") == 6
    assert sample(models, "artificer_ai_first_token_seconds_count", model="echo") == 3


@pytest.mark.parametrize(
    ("model", "chat", "error", "message"),
    [
        ("nobody", asking(), UnknownModel, "unknown model 'nobody'; expected one of: echo"),
        ("", Chat(messages=()), Invalid, "at least one message"),
        ("", asking("x" * 1001), PromptTooLong, "1,001 bytes; at most 1,000"),
        ("", asking("x " * 499), PromptTooLong, "500 tokens"),
        (
            "",
            Chat(messages=(Message(role="user", content="x"),) * 101),
            PromptTooLong,
            "101 messages; the context of echo",
        ),
        ("", asking(max_tokens=101), Refused, "max_tokens is 101; the context of echo has 100 tokens"),
        ("", asking(tools=(Tool(name="t"),)), Refused, "cannot call tools"),
    ],
)
async def test_what_a_model_cannot_do_is_refused_before_the_first_delta(
    model: str, chat: Chat, error: type[Exception], message: str
) -> None:
    models = models_of(ScriptedChatSettings(context_tokens=100), max_prompt_bytes=1000)
    with pytest.raises(error, match=message):
        await anext(models.generate(model, chat))


async def test_a_prompt_of_more_tokens_than_allowed_is_refused() -> None:
    models = models_of(ScriptedChatSettings(max_prompt_tokens=4))
    assert (await answer(models, asking("one two three")))[0]
    with pytest.raises(PromptTooLong, match="5 tokens; the model echo accepts 4"):
        await answer(models, asking("one two three four"))
    assert sample(models, "artificer_ai_requests_total", model="echo", outcome="refused") == 1


async def test_tokens_are_charged_to_their_caller() -> None:
    models = models_of(tokens_per_minute=8)
    await answer(models, asking(), caller="a")
    await answer(models, asking(), caller="a")
    with pytest.raises(TokensExhausted) as caught:
        await answer(models, asking(), caller="a")
    assert (caught.value.retry_seconds or 0) > 1
    with pytest.raises(TokensExhausted):
        await models.embed("", ["a text"], caller="a")
    await answer(models, asking(), caller="b")


async def test_texts_that_were_begun_are_all_embedded() -> None:
    """Else a document above the budget could never be indexed."""
    models = models_of(tokens_per_minute=100)
    made = await models.embed("", ["some words of a document"] * 200, caller="a")
    assert (len(made.vectors), made.tokens > 200) == (200, True)
    with pytest.raises(TokensExhausted):
        await models.embed("", ["a text"], caller="a")


async def test_a_caller_who_leaves_stops_the_model_and_is_charged() -> None:
    models = models_of(tokens_per_minute=4)
    model = scripted(models)
    async with aclosing(models.generate("", asking("one two three four"), caller="a")) as batches:
        await anext(batches)
    assert model.generated == 1
    assert sample(models, "artificer_ai_requests_total", model="echo", outcome="cancelled") == 1
    assert sample(models, "artificer_ai_tokens_total", model="echo", direction="output") == 1
    with pytest.raises(TokensExhausted):
        await answer(models, asking(), caller="a")


def test_models_for_chats_and_vectors_with_one_name_have_one_series_each() -> None:
    chats = {"both": UpstreamChatSettings(base_url="http://127.0.0.1:9/v1")}
    vectors = {"both": UpstreamEmbeddingSettings(base_url="http://127.0.0.1:9/v1", dimension=3)}
    models = Models(ModelsSettings(chat_models=chats, embedding_models=vectors))
    series = [
        (sample.name, *sample.labels.items())
        for collector in models.collectors
        for family in collector.collect()
        for sample in family.samples
    ]
    assert ("artificer_ai_running", ("model", "both")) in series
    assert len(series) == len(set(series))


async def test_requests_beyond_the_concurrency_wait_and_show_in_the_metrics() -> None:
    models = models_of(ScriptedChatSettings(concurrency=1))
    gate = scripted(models).gate = asyncio.Event()
    asked = [asyncio.create_task(answer(models, asking())) for _ in range(3)]
    await until_here(lambda: sample(models, "artificer_ai_queue_depth", model="echo") == 2)
    assert sample(models, "artificer_ai_running", model="echo") == 1
    gate.set()
    await asyncio.gather(*asked)
    assert sample(models, "artificer_ai_running", model="echo") == 0


async def test_an_answer_that_breaks_off_counts_as_failed() -> None:
    models = models_of(ScriptedChatSettings(fail_after=2))
    with pytest.raises(Broken):
        await answer(models, asking())
    assert sample(models, "artificer_ai_requests_total", model="echo", outcome="failed") == 1
    assert sample(models, "artificer_ai_tokens_total", model="echo", direction="output") == 2


async def test_replies_take_turns_and_tools_are_asked_for() -> None:
    models = models_of(ScriptedChatSettings(replies=("yes", "no"), tool_calls='[{"name": "weather"}]'))
    assert [(await answer(models, asking()))[0] for _ in range(3)] == ["yes", "no", "yes"]
    (batch,) = [batch async for batch in models.generate("", asking(tools=(Tool(name="weather"),)))]
    assert [call.name for call in batch[0].tool_calls] == ["weather"]
    assert batch[-1].finish is Finish.TOOL_CALLS


async def test_any_number_of_texts_is_embedded_in_batches() -> None:
    models = models_of()
    texts = ["the warm bread", "bread, warm", "a law of taxes", "the warm bread", "x"]
    made = await models.embed("", texts)
    assert made.vectors.shape == (5, 64)
    assert made.vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1)
    near = made.vectors @ made.vectors[0]
    assert near[3] > 0.999
    assert near[1] > 0.7 > 0.5 > near[2]
    assert (await models.embed("words", [])).vectors.shape == (0, 64)


async def test_empty_and_long_texts_are_named() -> None:
    models = models_of()
    with pytest.raises(Invalid) as caught:
        await models.embed("", ["a", ""])
    assert caught.value.faults[0].field == "texts[1]"
    with pytest.raises(Invalid, match="102 bytes; at most 100"):
        await models.embed("", ["ä" * 51])
    with pytest.raises(UnknownModel):
        await models.embed("echo", ["a chat model makes no vectors"])


async def test_a_prompt_is_counted() -> None:
    assert await models_of().count("", [Message(role="user", content="one two")]) == 3
