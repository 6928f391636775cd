"""llm.generate against a real server of the protocol, which often misbehaves."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from artificer_services.batch.tasks.api import Output, PhaseView, Rejected, TaskError
from artificer_services.batch.tasks.llm import Generate, create, score_of
from tests.waiting import PATIENCE

from . import models
from .models import Act, Model, completion, refused, said
from .works import ItemWork, phase

KEY = "sk-never-to-be-seen"


@pytest.fixture
def model() -> Iterator[Model]:
    with models.serve() as served:
        yield served


Make = Callable[..., Generate]


@pytest.fixture
def make(model: Model) -> Iterator[Make]:
    """Creates the task with the endpoint and quick retries; the arguments are settings."""
    made: list[Generate] = []

    def task(rag: dict[str, Any] | None = None, **settings: Any) -> Generate:
        table = {
            "base_url": model.url,
            "api_key": KEY,
            "model": "small",
            "prices": {"small": {"input": 2.0, "output": 8.0}},
            "timeout": PATIENCE,
            "retries": 2,
            "retry_first_seconds": 0.01,
            "retry_longest_seconds": 0.05,
        }
        made.append(create({"llm.generate": table | settings, "rag": rag or {}}))
        return made[-1]

    yield task
    for one in made:
        one.close()


def run(task: Generate, text: str = "Hello", *, work: ItemWork | None = None, **parameters: Any) -> Output:
    work = work or ItemWork(input=text, phase=phase("llm.generate", **parameters))
    assert task.check(work.phase) == []
    return task.run(work)


def test_the_input_is_sent_and_the_cost_recorded(model: Model, make: Make) -> None:
    model.then(completion("Good day.", prompt=1000, made=500))
    output = run(make())
    assert output == Output(text="Good day.", score=None, tokens=1500, cost=0.006)
    assert model.asked == [{"model": "small", "messages": [{"role": "user", "content": "Hello"}]}]
    assert model.paths == ["/v1/chat/completions"]
    assert model.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_phase_configures_the_request(model: Model, make: Make) -> None:
    work = ItemWork(
        input="the text",
        metadata={"tongue": "German"},
        outputs={"read": "READ"},
        phase=phase(
            "llm.generate",
            model="large",
            before=("read",),
            prompt="Translate to {{metadata.tongue}}: {{input}} / {{outputs.read}}",
            system="You know {{metadata.tongue}}.",
            temperature="0.5",
            max_tokens="77",
            format="json",
        ),
    )
    model.then(completion("{}"))
    assert run(make(), work=work).cost == 0  # of a model without a price
    assert model.asked == [
        {
            "model": "large",
            "messages": [
                {"role": "system", "content": "You know German."},
                {"role": "user", "content": "Translate to German: the text / READ"},
            ],
            "temperature": 0.5,
            "max_tokens": 77,
            "response_format": {"type": "json_object"},
        }
    ]


def test_an_endpoint_without_a_key_is_served(model: Model, make: Make) -> None:
    assert run(make(api_key="")).text == "well"
    assert KEY not in model.headers[0]["authorization"]


def test_the_environment_is_not_read(model: Model, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "https://of-the-environment.invalid")
    run(make())
    assert not [value for value in model.headers[0].values() if "of-the-environment" in value]


GOOD = completion("fine")
MENDED: list[tuple[str, Act]] = [
    ("500", refused(500)),
    ("503", refused(503)),
    ("408", refused(408)),
    ("409", refused(409)),
    ("429", refused(429)),
    ("429 that asks for a moment", refused(429, retry_after="0.02")),
    ("429 with a time of the past", refused(429, retry_after=format_datetime(datetime(2020, 1, 1, tzinfo=UTC)))),
    ("429 with nonsense", refused(429, retry_after="soon")),
    ("no JSON", models.raw(b"<html>502</html>", "text/html")),
    ("broken JSON", models.raw(b'{"choices": [')),
    ("bytes", models.raw(b"\xff\xfe\x00")),
    ("JSON of another kind", models.raw(b"[1, 2]")),
    ("JSON without end", models.raw(b"[" * 100_000)),
    ("an error with status 200", said({"error": {"message": "overloaded"}})),
    ("no choices", said({"choices": []})),
    ("choices that are none", said({"choices": "many"})),
    ("a choice that is none", said({"choices": [None]})),
    ("no message", said({"choices": [{"index": 0}]})),
    ("no content", completion(None)),
    ("empty content", completion(" \n")),
    ("content in parts", said({"choices": [{"message": {"content": [{"type": "text"}]}}]})),
    ("a connection that is cut", models.cut),
    ("a connection that is slammed", models.slam),
]


@pytest.mark.parametrize(("_what", "bad"), MENDED, ids=[what for what, _ in MENDED])
def test_transient_errors_are_retried(model: Model, make: Make, _what: str, bad: Act) -> None:
    model.then(bad, bad, GOOD)
    work = ItemWork(input="Hello", phase=phase("llm.generate"))
    assert run(make(), work=work).text == "fine"
    assert len(model.asked) == 3
    assert [level for level, line in work.lines if "retrying in" in line] == [logging.WARNING] * 2


def test_persistent_errors_fail_the_attempt(model: Model, make: Make) -> None:
    task = make(retries=1)
    for count, (_, bad) in enumerate(MENDED, 1):
        model.then(bad, bad)
        with pytest.raises(TaskError) as error:
            run(task)
        assert not isinstance(error.value, Rejected)
        assert len(model.asked) == 2 * count


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_client_errors_are_not_retried(model: Model, make: Make, status: int) -> None:
    model.then(refused(status, f"the key {KEY} or the context is too long"))
    with pytest.raises(Rejected, match=f"answered {status}: the key .* or the context is too long"):
        run(make())
    assert len(model.asked) == 1


def test_a_refusal_is_final_and_its_cost_counted(model: Model, make: Make) -> None:
    model.then(completion(None, prompt=100, made=0, refusal="I cannot help with that."))
    with pytest.raises(Rejected, match="refused: I cannot help with that") as error:
        run(make())
    assert (error.value.tokens, error.value.cost) == (100, 0.0002)
    model.then(completion("half of", reason="content_filter"))
    with pytest.raises(Rejected, match="content filter"):
        run(make())


def test_all_requests_of_an_item_are_counted(model: Model, make: Make) -> None:
    model.then(completion("", prompt=100, made=0), completion("yes", prompt=100, made=10))
    output = run(make())
    assert (output.tokens, round(output.cost, 9)) == (210, 0.00048)
    model.then(*[completion("", prompt=100, made=0)] * 3)
    with pytest.raises(TaskError) as error:
        run(make())
    assert (error.value.tokens, round(error.value.cost, 9)) == (300, 0.0006)


@pytest.mark.parametrize(
    "usage", [None, {}, "many", {"prompt_tokens": -5}, {"prompt_tokens": "9", "total_tokens": True}]
)
def test_an_answer_with_odd_usage_figures_is_accepted(model: Model, make: Make, usage: object) -> None:
    model.then(said({"choices": [{"message": {"content": "yes"}}], "usage": usage}))
    assert run(make()) == Output(text="yes")


def test_a_server_that_hangs_times_out(model: Model, make: Make) -> None:
    model.then(models.hang)
    work = ItemWork(input="Hello", phase=phase("llm.generate"))
    # A busy machine may not answer in such a short time either, so the request is repeated.
    assert run(make(timeout=0.3, retries=1000), work=work).text == "well"
    assert "did not answer within 0.3 seconds" in work.lines[0][1]


def test_a_server_that_sends_slowly_times_out(model: Model, make: Make) -> None:
    model.then(models.drip)
    with pytest.raises(TaskError, match=r"did not answer within 0\.3 seconds"):
        run(make(timeout=0.3, retries=0))


def test_an_unreachable_server_is_reported(make: Make) -> None:
    with socket.socket() as bound:  # bound but not listening, so that no other program gets the port
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(TaskError, match="connection to the endpoint failed: ConnectError"):
            run(make(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}/v1"))


def test_an_endless_answer_is_not_buffered(model: Model, make: Make) -> None:
    model.then(completion("x" * 5000))
    with pytest.raises(Rejected, match="larger than 4,096 bytes"):
        run(make(max_answer_bytes=4096))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_retry_after_is_left_to_the_next_attempt(model: Model, make: Make, form: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1))
    model.then(refused(429, retry_after="3600" if form == "seconds" else later), GOOD)
    with pytest.raises(TaskError, match="answered 429"):
        run(make())
    assert len(model.asked) == 1


def test_a_cancelled_job_waits_for_no_retry(model: Model, make: Make) -> None:
    cancelled = threading.Event()

    def fail_and_cancel(handler: models.Handler) -> None:
        cancelled.set()
        refused(500)(handler)

    model.then(fail_and_cancel)
    work = ItemWork(input="Hello", phase=phase("llm.generate"), cancelled=cancelled)
    with pytest.raises(TaskError, match="cancelled"):
        run(make(retry_first_seconds=3000, retry_longest_seconds=3000), work=work)
    assert len(model.asked) == 1


def test_a_cancelled_job_waits_for_no_slow_answer(model: Model, make: Make) -> None:
    model.then(models.drip)
    work = ItemWork(input="Hello", phase=phase("llm.generate"))
    timer = threading.Timer(0.2, work.cancelled.set)
    timer.start()
    with pytest.raises(TaskError, match="cancelled"):
        run(make(timeout=60), work=work)
    timer.join()


def test_the_key_is_in_no_log_no_error_and_no_repr(model: Model, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    task = make(retries=0)
    with caplog.at_level(logging.DEBUG):
        for act in (refused(401, f"Incorrect API key provided: {KEY}"), refused(500, KEY), models.slam):
            model.then(act)
            with pytest.raises(TaskError) as error:
                run(task)
            assert KEY not in f"{error.value} {error.value.message} {error.value!r}"
            assert error.value.__cause__ is None
        work = ItemWork(input="Hello", phase=phase("llm.generate"))
        model.then(refused(429, KEY), GOOD)
        run(make(), work=work)
        assert work.lines
        assert KEY not in str(work.lines)
    assert KEY not in caplog.text
    assert KEY not in repr(task._settings)


def test_a_truncated_answer_is_reported(model: Model, make: Make) -> None:
    model.then(completion("It was a dark and", reason="length"))
    work = ItemWork(input="Hello", phase=phase("llm.generate"))
    assert run(make(), work=work).text == "It was a dark and"
    assert [line for _, line in work.lines] == ["the answer is truncated: the model reached its token limit"]


def test_requested_json_is_parsed(model: Model, make: Make) -> None:
    model.then(completion("Sure! {"), completion('{"a": 1}'))
    assert json.loads(run(make(), format="json").text) == {"a": 1}
    model.then(completion('{"a": ', reason="length"))
    with pytest.raises(Rejected, match="truncated"):
        run(make(), format="json")


def test_a_score_is_parsed_from_the_answer(model: Model, make: Make) -> None:
    model.then(completion('{"quality": {"score": 0.75}}'))
    assert run(make(), score="/quality/score", format="json").score == 0.75
    model.then(completion('{"quality": 3}', prompt=7, made=0))
    with pytest.raises(TaskError, match="nothing at '/quality/score'") as error:
        run(make(), score="/quality/score")
    assert error.value.tokens == 7


@pytest.mark.parametrize(
    ("text", "pointer", "score"),
    [("[0, 1]", "/1", 1.0), ('{"a/b": {"~": 0}}', "/a~1b/~0", 0.0), ('{"": 0.5}', "/", 0.5)],
)
def test_json_pointers_lead_to_scores(text: str, pointer: str, score: float) -> None:
    assert score_of(text, pointer) == score


@pytest.mark.parametrize("text", ["{}", '{"score": true}', '{"score": "1"}', '{"score": 1.5}', '{"score": NaN}', "no"])
def test_an_invalid_score_is_reported(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is|it has|is not a number"):
        score_of(text, "/score")


CHECKED: list[tuple[dict[str, Any], PhaseView, str, str]] = [
    ({"base_url": ""}, phase("llm.generate"), "task_type", "services.batch.tasks.llm.generate.base_url"),
    ({"model": ""}, phase("llm.generate"), "model", "services.batch.tasks.llm.generate.model"),
    (
        {"models": ["small"]},
        phase("llm.generate", model="huge"),
        "model",
        "unknown model 'huge'; expected one of: small",
    ),
    ({}, phase("llm.generate", use_rag=True), "use_rag", "services.batch.tasks.rag.folder"),
    ({}, phase("llm.generate", temperature="hot"), "parameters.temperature", "from 0 to 2"),
    ({}, phase("llm.generate", max_tokens="0"), "parameters.max_tokens", "whole number"),
    ({}, phase("llm.generate", format="xml"), "parameters.format", "text, json"),
    ({}, phase("llm.generate", score="quality"), "parameters.score", "JSON pointer"),
    ({}, phase("llm.generate", prompt="{{secret}}"), "parameters.prompt", "unknown name"),
    ({}, phase("llm.generate", system="{{outputs.x}}", before=()), "parameters.system", "names no earlier phase"),
    ({}, phase("llm.generate", tools="all"), "parameters.tools", "unknown parameter"),
]


@pytest.mark.parametrize(("settings", "view", "field", "reason"), CHECKED)
def test_an_invalid_phase_is_refused_at_creation(
    make: Make, settings: dict[str, Any], view: PhaseView, field: str, reason: str
) -> None:
    [(found, text)] = make(**settings).check(view)
    assert found == field
    assert reason in text


def test_the_size_of_a_prompt_is_bounded(model: Model, make: Make) -> None:
    with pytest.raises(Rejected, match="more than 100 characters"):
        run(make(max_prompt_chars=100), "x" * 60, prompt="{{input}}{{input}}")
    assert not model.asked


def test_an_item_may_take_as_long_as_all_its_retries(make: Make) -> None:
    assert make(timeout=10, retries=2, retry_longest_seconds=30).timeout == 120


def test_connections_are_kept_from_item_to_item_and_closed(model: Model, make: Make) -> None:
    addresses = set()

    def note(handler: models.Handler) -> None:
        addresses.add(handler.client_address)
        GOOD(handler)

    model.then(note, note, note)
    task = make()
    for _ in range(3):
        run(task)
    assert len(addresses) == 1
    task.close()
    task.close()
    assert run(task).text == "well"


@contextmanager
def folder_of(tmp: Any, **texts: str) -> Iterator[str]:
    for name, text in texts.items():
        (tmp / f"{name}.md").write_text(text)
    yield str(tmp)


def test_matching_passages_precede_the_prompt(model: Model, make: Make, tmp_path: Any) -> None:
    with folder_of(
        tmp_path,
        harbour="The harbour fee is five crowns for a vessel.",
        bread="Bread is baked before dawn.",
        fog="The bell is rung twice in fog.",
    ) as folder:
        task = make(rag={"folder": folder, "passages": 2})
        run(task, "How much is the harbour fee?", use_rag=True, prompt="Question: {{input}}")
        [message] = model.asked[0]["messages"]
        assert message["content"].startswith(
            "Passages that may help:\n\n[1] harbour.md\nThe harbour fee is five crowns"
        )
        assert message["content"].endswith("\n\nQuestion: How much is the harbour fee?")
        assert "Bread" not in message["content"].partition("[2]")[0]
        run(task, "zzz", use_rag=True)
        assert model.asked[1]["messages"] == [{"role": "user", "content": "zzz"}]
