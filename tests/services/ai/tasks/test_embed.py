"""embed: the forms of a vector, and texts that have none."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import numpy as np
import pytest

from artificer_services.ai.tasks.embed import EmbedTask, create
from artificer_services.kit.task_types import NotDone
from tests.services.batch.works import ItemWork, phase

SCRIPTED = {"ai": {"embedding_models": {"words": {"kind": "scripted", "dimension": 16}, "more": {"kind": "scripted"}}}}


@pytest.fixture
def task() -> Iterator[EmbedTask]:
    made = create(SCRIPTED)
    yield made
    made.close()


def work_of(task: EmbedTask, text: str, **parameters: str) -> ItemWork:
    work = ItemWork(input=text, phase=phase("embed", **parameters))
    assert task.check(work.phase) == []
    return work


def test_a_vector_has_the_same_numbers_in_every_form(task: EmbedTask) -> None:
    output = task.run(work_of(task, "the harbour master"))
    numbers = np.array(json.loads(output.text), np.float32)
    assert numbers.shape == (16,)
    assert np.linalg.norm(numbers) == pytest.approx(1)
    assert output.tokens > 0
    coded = task.run(work_of(task, "the harbour master", format="base64")).text
    assert np.array_equal(np.frombuffer(base64.b64decode(coded), "<f4"), numbers)
    work = work_of(task, "the harbour master", format="blob")
    data, content_type = work.blobs[task.run(work).text.removeprefix("blob:")]
    assert (data, content_type) == (base64.b64decode(coded), "application/octet-stream")


def test_a_phase_chooses_its_model(task: EmbedTask) -> None:
    assert len(json.loads(task.run(work_of(task, "a", model="more")).text)) == 64
    assert task.check(phase("embed", model="huge")) == [("model", "unknown model 'huge'; expected one of: words, more")]
    assert task.check(phase("embed", format="xml"))[0][0] == "parameters.format"


@pytest.mark.parametrize("text", ["", "x" * 40_000])
def test_an_empty_or_huge_text_fails_at_once(task: EmbedTask, text: str) -> None:
    work = work_of(task, text)
    with pytest.raises(NotDone) as error:
        task.run(work)
    assert error.value.final
    assert work.lines == []


def test_the_default_model_needs_no_network() -> None:
    task = create({})
    try:
        texts = ("The ship entered the harbour.", "A vessel came into the port.", "Bread is baked before dawn.")
        ship, vessel, bread = (np.array(json.loads(task.run(work_of(task, text)).text)) for text in texts)
        assert len(ship) == 512
        assert ship @ vessel > ship @ bread
    finally:
        task.close()
