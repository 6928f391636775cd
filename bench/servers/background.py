"""A job in its simplest form: FastAPI's BackgroundTasks and a loop, with the results in a dict."""

from __future__ import annotations

from fastapi import BackgroundTasks, FastAPI
from pydantic import BaseModel

from bench.batch.work import WORK
from bench.servers.listen import serve

app = FastAPI()
_results: dict[str, list[str]] = {}


class Wanted(BaseModel):
    """A job."""

    id: str
    task: str
    items: list[str]


@app.post("/jobs")
def create(wanted: Wanted, background: BackgroundTasks) -> dict[str, str]:
    background.add_task(_run, wanted)
    return {"id": wanted.id}


@app.get("/jobs/{job_id}")
def progress(job_id: str) -> dict[str, int]:
    return {"done": len(_results.get(job_id, ()))}


def _run(wanted: Wanted) -> None:
    done = _results.setdefault(wanted.id, [])
    for item in wanted.items:
        done.append(WORK[wanted.task](item))


if __name__ == "__main__":
    serve(app)
