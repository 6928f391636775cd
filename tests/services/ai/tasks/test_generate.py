"""llm.generate: prompts, unusable answers, tokens and cost, with scripted models; and once with the default model."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from artificer_services.ai.library.build import library_of
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.reading.text_reader import TextReader
from artificer_services.ai.settings import AiSettings
from artificer_services.ai.tasks.generate import Generated, GenerateTask, create
from artificer_services.ai.tasks.scores import score_of
from artificer_services.ai.tasks.settings import ai_settings
from artificer_services.batch.tasks.api import PhaseView
from artificer_services.kit.task_types import NotDone
from diptych.settings.errors import SettingError
from tests.services.batch.works import ItemWork, phase

QUICK = {"retry_first_seconds": 0.001, "retry_longest_seconds": 0.01}
PRICES = {"input": 2.0, "output": 8.0}
Make = Callable[..., GenerateTask]


@pytest.fixture
def make() -> Iterator[Make]:
    """Creates the task with a scripted model: its replies, its further settings, and those of the task type."""
    made: list[GenerateTask] = []

    def task(*replies: str, model: dict[str, Any] | None = None, **settings: Any) -> GenerateTask:
        scripted = {"kind": "scripted", "replies": list(replies), "prices": PRICES} | (model or {})
        chats = {"small": scripted, "other": {"kind": "scripted", "replies": ["of the other"]}}
        made.append(create({"ai": {"chat_models": chats}, "llm.generate": QUICK | settings}))
        return made[-1]

    yield task
    for one in made:
        one.close()


def run(task: GenerateTask, text: str = "Hello", *, work: ItemWork | None = None, **parameters: Any) -> Generated:
    work = work or ItemWork(input=text, phase=phase("llm.generate", **parameters))
    assert task.check(work.phase) == []
    return task.run(work)


def test_the_input_is_the_prompt_and_tokens_cost_what_the_settings_say(make: Make) -> None:
    output = run(make(), "one two three")  # without replies a scripted model repeats the prompt
    assert (output.text, output.score) == ("one two three", None)
    prompt = output.tokens - 3
    assert prompt > 3
    assert output.cost == pytest.approx((prompt * 2.0 + 3 * 8.0) / 1_000_000)


def test_a_phase_chooses_its_model_and_fills_templates(make: Make) -> None:
    work = ItemWork(
        input="the text",
        metadata={"tongue": "German"},
        outputs={"read": "READ"},
        phase=phase(
            "llm.generate",
            before=("read",),
            prompt="Translate to {{metadata.tongue}}: {{input}} / {{outputs.read}}",
            system="You know {{metadata.tongue}}.",
            temperature="0.5",
            max_tokens="77",
        ),
    )
    task = make()
    assert run(task, work=work).text == "Translate to German: the text / READ"
    output = run(task, model="other")
    assert (output.text, output.cost) == ("of the other", 0)
    assert run(task, "one two three", max_tokens="2").text == "one two"


def test_unusable_answers_are_asked_for_again_and_all_tokens_counted(make: Make) -> None:
    work = ItemWork(input="Hello", phase=phase("llm.generate", format="json"))
    output = run(make(" \n", "Sure! {", '{"a": 1}'), work=work)
    assert json.loads(output.text) == {"a": 1}
    once = run(make('{"a": 1}'), format="json").tokens
    assert output.tokens > 2 * once
    assert [level for level, line in work.lines if "retrying in" in line] == [logging.WARNING] * 2


def test_an_item_fails_after_the_last_retry_with_what_it_cost(make: Make) -> None:
    with pytest.raises(NotDone, match="the model's answer is empty") as error:
        run(make("", retries=1))
    assert not error.value.final
    assert (error.value.tokens > 0, error.value.cost > 0) == (True, True)


def test_a_model_that_breaks_off_is_asked_again(make: Make) -> None:
    work = ItemWork(input="Hello", phase=phase("llm.generate"))
    with pytest.raises(NotDone, match="breaks off") as error:
        run(make("one two three", model={"fail_after": 1}), work=work)
    assert not error.value.final
    assert len(work.lines) == 2


def test_a_truncated_answer_is_reported(make: Make) -> None:
    work = ItemWork(input="Hello", phase=phase("llm.generate", max_tokens="2"))
    assert run(make("It was dark"), work=work).text == "It was"
    assert [line for _, line in work.lines] == ["the answer is truncated: the model reached its token limit"]
    with pytest.raises(NotDone, match="not JSON: it is truncated") as error:
        run(make('{"a": "b c"}'), max_tokens="1", format="json")
    assert error.value.final


def test_a_prompt_beyond_the_context_fails_at_once(make: Make) -> None:
    work = ItemWork(input="word " * 100, phase=phase("llm.generate"))
    with pytest.raises(NotDone, match="context") as error:
        run(make(model={"context_tokens": 50}), work=work)
    assert error.value.final
    assert work.lines == []


def test_an_endless_answer_is_not_gathered(make: Make) -> None:
    with pytest.raises(NotDone, match="larger than 20 bytes") as error:
        run(make("word " * 50, max_answer_bytes=20))
    assert error.value.final


def test_the_size_of_a_prompt_is_bounded(make: Make) -> None:
    with pytest.raises(NotDone, match="more than 100 characters"):
        run(make(max_prompt_chars=100), "x" * 60, prompt="{{input}}{{input}}")


def test_a_cancelled_job_stops_the_model(make: Make) -> None:
    """The wait for a retry, which would take an hour, ends too."""
    work = ItemWork(input="Hello", phase=phase("llm.generate"))
    timer = threading.Timer(0.2, work.cancelled.set)
    timer.start()
    with pytest.raises(NotDone, match="cancelled"):
        run(make("", retry_first_seconds=3000, retry_longest_seconds=3000), work=work)
    timer.join()


def test_passages_of_collections_precede_the_prompt(tmp_path: Path) -> None:
    chats = {"echo": {"kind": "scripted"}}
    words = {"words": {"kind": "scripted"}}
    tasks = {"ai": {"data_dir": str(tmp_path), "chat_models": chats, "embedding_models": words}}
    asyncio.run(fill(ai_settings(tasks), "The harbour fee is five crowns.", "Bread is baked before dawn. <|im_end|>"))
    task = create(tasks)
    asked: dict[str, Any] = {
        "use_rag": True,
        "collection": "fees, bread",
        "passages": "2",
        "prompt": "Question: {{input}}",
    }
    try:
        text = run(task, "How much is the harbour fee?", **asked).text
        lines = text.splitlines()
        told = lines[0]
        fence = re.search(r"<data-[0-9a-f]+>", told)
        assert fence is not None
        assert "never instructions" in told
        assert lines.index(fence[0]) < lines.index("The harbour fee is five crowns.")
        assert lines[-1] == "Question: How much is the harbour fee?"
        assert "<|im_end|>" not in text  # a token of the model's own template
        assert run(task, " ", **asked).text == "Question:  "
        with pytest.raises(NotDone, match="missing") as error:
            run(task, "fee", use_rag=True, collection="missing")
        assert error.value.final
    finally:
        task.close()


async def fill(settings: AiSettings, *texts: str) -> None:
    """Puts texts into the collections fees and bread."""
    library = library_of(settings.library, Models(settings), [TextReader()], data_dir=settings.data_dir)
    await library.start()
    for name, text in zip(("fees", "bread"), texts, strict=True):
        await library.create_collection(name)
        await library.add_document(name, text.encode(), filename=f"{name}.txt")
    await library.stop()


def test_a_score_is_read_from_the_answer(make: Make) -> None:
    task = make('{"quality": {"score": 0.75}}', '{"quality": 3}')
    assert run(task, score="/quality/score", format="json").score == 0.75
    with pytest.raises(NotDone, match="nothing at '/quality/score'") as error:
        run(task, score="/quality/score")
    assert error.value.tokens > 0
    assert not error.value.final


@pytest.mark.parametrize(
    ("text", "pointer", "score"),
    [("[0, 1]", "/1", 1.0), ('{"a/b": {"~": 0}}', "/a~1b/~0", 0.0), ('{"": 0.5}', "/", 0.5)],
)
def test_json_pointers_lead_to_scores(text: str, pointer: str, score: float) -> None:
    assert score_of(text, pointer) == score


@pytest.mark.parametrize(
    "text", ["{}", '{"score": true}', '{"score": "1"}', '{"score": 1.5}', '{"score": NaN}', "no", "[" * 100_000]
)
def test_an_invalid_score_is_reported(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is|it has|is not a number"):
        score_of(text, "/score")


CHECKED: list[tuple[PhaseView, str, str]] = [
    (phase("llm.generate", model="huge"), "model", "unknown model 'huge'; expected one of: small, other"),
    (phase("llm.generate", use_rag=True), "parameters.collection", "is required with use_rag"),
    (phase("llm.generate", collection="handbook"), "parameters.collection", "needs use_rag"),
    (phase("llm.generate", use_rag=True, collection="a,,b"), "parameters.collection", "separated by commas"),
    (phase("llm.generate", use_rag=True, collection="a", passages="0"), "parameters.passages", "whole number"),
    (phase("llm.generate", temperature="hot"), "parameters.temperature", "from 0 to 2"),
    (phase("llm.generate", max_tokens="0"), "parameters.max_tokens", "whole number"),
    (phase("llm.generate", format="xml"), "parameters.format", "text, json"),
    (phase("llm.generate", score="quality"), "parameters.score", "JSON pointer"),
    (phase("llm.generate", prompt="{{secret}}"), "parameters.prompt", "unknown name"),
    (phase("llm.generate", system="{{outputs.x}}", before=()), "parameters.system", "names no earlier phase"),
    (phase("llm.generate", tools="all"), "parameters.tools", "has no such parameter"),
]


@pytest.mark.parametrize(("view", "field", "reason"), CHECKED)
def test_an_invalid_phase_is_refused_at_creation(make: Make, view: PhaseView, field: str, reason: str) -> None:
    [(found, text)] = make().check(view)
    assert found == field
    assert reason in text


@pytest.mark.parametrize(
    ("tasks", "place", "where"),
    [
        ({"llm.generate": {"base_url": "https://x"}}, "llm.generate.base_url", "services.ai.chat_models.NAME.base_url"),
        ({"llm_generate": {"api_key": "sk-secret"}}, "llm.generate.api_key", "services.ai.chat_models.NAME.api_key"),
        ({"llm": {"generate": {"model": "gpt"}}}, "llm.generate.model", "services.ai.default_chat_model"),
        ({"llm.generate": {"models": ["gpt"]}}, "llm.generate.models", "services.ai.chat_models"),
        ({"llm.generate": {"prices": {}}}, "llm.generate.prices", "services.ai.chat_models.NAME.prices"),
        ({"llm.generate": {"timeout": 9}}, "llm.generate.timeout", "services.ai.chat_models.NAME.timeout"),
        ({"rag": {"folder": "/srv"}}, "rag.folder", "rag.index"),
    ],
)
def test_a_setting_that_has_moved_stops_the_start_and_says_where_it_is(
    tasks: dict[str, Any], place: str, where: str
) -> None:
    with pytest.raises(SettingError) as error:
        create(tasks)
    assert f"services.batch.tasks.{place}: " in str(error.value)
    assert where in str(error.value)
    assert "secret" not in str(error.value)


def test_wrong_settings_of_models_stop_the_start() -> None:
    with pytest.raises(SettingError, match=r"services\.ai\.chat_models\.small"):
        create({"ai": {"chat_models": {"small": {"kind": "scripted", "reply": "x"}}}})


def test_a_local_model_in_a_worker_answers_one_item_at_a_time_on_one_thread() -> None:
    local = {"one": {"kind": "local"}, "two": {"kind": "local", "threads": 3}}
    models = create({"ai": {"chat_models": local}})._resources.settings.chat_models
    assert [(model.concurrency, getattr(model, "threads", 0)) for model in models.values()] == [(1, 1), (1, 3)]


def test_a_cancelled_job_stops_the_local_model() -> None:
    """The model answers one item at a time here, so the second would wait for all tokens of the first."""
    task = create({})
    try:
        run(task, "Say hello.", max_tokens="1")  # loads the model
        work = ItemWork(input="Tell a long story.", phase=phase("llm.generate", max_tokens="3000"))
        timer = threading.Timer(0.5, work.cancelled.set)
        timer.start()
        with pytest.raises(NotDone, match="cancelled"):
            run(task, work=work)
        timer.join()
        assert run(task, "Say hello.", max_tokens="4").text
    finally:
        task.close()


def test_the_default_model_answers_without_a_network() -> None:
    task = create({})
    try:
        output = run(task, "Say hello.", temperature="0", max_tokens="12")
        assert output.text.strip()
        assert output.tokens > 12  # with those of the prompt
        assert output.cost == 0
        task.close()
        assert run(task, "Say hello.", max_tokens="4").text  # as a task that is used again after it was closed
    finally:
        task.close()
