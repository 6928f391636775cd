"""Hypothesis drives jobs through both faces and compares them with a model.

Whatever the order of people's commands and a worker's steps, its death included: a job is where the table of states
says, every item is done once, and no count is ever another than the model's.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import grpc
import httpx2
from google.protobuf import json_format
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer_services.batch.jobs.work import Claimed
from tests.waiting import PATIENCE

from .gateways import Served, Worker, asked, broke, done, serving

T = TypeVar("T")

VERBS: dict[str, Any] = {
    "start": pb.StartJobRequest,
    "pause": pb.PauseJobRequest,
    "resume": pb.ResumeJobRequest,
    "cancel": pb.CancelJobRequest,
}

# Repeated here instead of imported: the service's table is what is tested.
LEADS = {
    ("PENDING", "start"): "RUNNING",
    ("RUNNING", "start"): "RUNNING",
    ("RUNNING", "pause"): "PAUSED",
    ("PAUSED", "pause"): "PAUSED",
    ("PAUSED", "resume"): "RUNNING",
    ("RUNNING", "resume"): "RUNNING",
    ("PENDING", "cancel"): "CANCELLED",
    ("RUNNING", "cancel"): "CANCELLED",
    ("PAUSED", "cancel"): "CANCELLED",
    ("CANCELLED", "cancel"): "CANCELLED",
}


@dataclass
class Model:
    """The expected state of a job."""

    id: str
    items: int
    phases: int
    state: str = "PENDING"
    done: dict[tuple[int, int], str] = field(default_factory=dict)  # outputs by item and phase
    failed: set[int] = field(default_factory=set)

    @property
    def completed(self) -> set[int]:
        last = self.phases - 1
        return {item for item, phase in self.done if phase == last}

    def settle(self) -> None:
        """Ends the job if no item is left and no worker holds it."""
        if self.state in ("RUNNING", "PAUSED") and len(self.completed) + len(self.failed) == self.items:
            self.state = "COMPLETED" if self.completed else "FAILED"


@dataclass
class Holding:
    """A worker and the items that it holds."""

    worker: Worker
    job: Model
    claimed: list[Claimed]


class Running:
    """A gateway over SQLite, on a separate event loop; the examples share it, each with its own jobs."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory()
        self.served = self.run(self.open)

    async def open(self) -> Served:
        # A dead worker costs an attempt, which the model does not count.
        place = {"data_dir": self.folder.name, "sweep_seconds": 3600.0, "max_attempts": 1_000_000}
        quick = {"retry_first_seconds": 0.001, "retry_longest_seconds": 0.001}
        return await self.stack.enter_async_context(serving(place, **quick))

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def whole() -> T:
            return await work()  # created on the loop: grpcio's calls need a running one

        return self.loop.run_until_complete(whole())

    def close(self) -> None:
        self.run(self.stack.aclose)
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()


class Machine(RuleBasedStateMachine):
    """Callers and one worker; each step waits for its response."""

    running: ClassVar[Running]
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, Model] = {}
        self.holding: Holding | None = None
        self.touched = ""  # the job that the last step was about
        self.numbers = self.running.numbers
        self.served = self.running.served

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        return self.running.run(work)

    def teardown(self) -> None:
        self.leave(dies=False)
        for model in self.models.values():
            self.check(model)

    # Steps of callers.

    @initialize(target=jobs)
    def begin(self) -> str:
        return self.add(2, 1, rest=True, start=False, key=False)

    @precondition(lambda self: len(self.models) < 3)
    @rule(
        target=jobs,
        count=st.integers(0, 4),
        phases=st.integers(1, 3),
        rest=st.booleans(),
        start=st.booleans(),
        key=st.booleans(),
    )
    def make(self, count: int, phases: int, rest: bool, start: bool, key: bool) -> str:
        return self.add(count, phases, rest=rest, start=start, key=key)

    def add(self, count: int, phases: int, *, rest: bool, start: bool, key: bool) -> str:
        request = asked(
            count,
            phases=[pb.Phase(name=f"p{number}", task_type="test.trial") for number in range(phases)],
            options=pb.JobOptions(auto_start=start and count > 0),
            request_id=f"r{next(self.numbers)}" if key else "",
        )
        job = self.create(request, rest=rest)
        if key:  # repeated over the other face
            assert self.create(request, rest=not rest).id == job.id
        model = Model(job.id, count, phases, state="RUNNING" if start and count else "PENDING")
        self.models[job.id] = model
        self.touched = job.id
        return job.id

    def create(self, request: pb.CreateJobRequest, *, rest: bool) -> pb.Job:
        if rest:
            answer = self.run(lambda: self.served.http.post("/v1/jobs", json=json_format.MessageToDict(request)))
            assert answer.status_code == 200, answer.text
            return json_format.Parse(answer.text, pb.Job())
        job: pb.Job = self.run(lambda: self.served.stub.CreateJob(request))
        return job

    @rule(job_id=jobs, count=st.integers(1, 3))
    def upload(self, job_id: str, count: int) -> None:
        model = self.models[job_id]
        self.touched = job_id
        items = [pb.Item(input=f"item {model.items + number}") for number in range(count)]
        request = pb.UploadItemsRequest(job_id=job_id, items=items)

        def call() -> Any:
            return self.served.stub.UploadItems(iter([request]))

        if model.state == "PENDING":
            assert self.run(call).stored_count == count
            model.items += count
        else:
            assert self.code_of(call) is grpc.StatusCode.FAILED_PRECONDITION

    # Several at once, since their order matters.
    @rule(job_id=jobs, verbs=st.lists(st.tuples(st.sampled_from(sorted(VERBS)), st.booleans()), min_size=1, max_size=6))
    def change(self, job_id: str, verbs: list[tuple[str, bool]]) -> None:
        model = self.models[job_id]
        self.touched = job_id
        for verb, rest in verbs:
            wanted = LEADS.get((model.state, verb))
            if wanted == "RUNNING" and not model.items:
                wanted = None
            found = self.by_rest(job_id, verb) if rest else self.by_grpc(job_id, verb)
            assert found == wanted, (model.state, verb)
            model.state = wanted or model.state

    def by_rest(self, job_id: str, verb: str) -> str | None:
        answer: httpx2.Response = self.run(lambda: self.served.http.post(f"/v1/jobs/{job_id}:{verb}"))
        if answer.status_code == 200:
            return str(answer.json()["status"]).removeprefix("JOB_STATUS_")
        assert (answer.status_code, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
        return None

    def by_grpc(self, job_id: str, verb: str) -> str | None:
        method = getattr(self.served.stub, f"{verb.title()}Job")
        try:
            job = self.run(lambda: method(VERBS[verb](job_id=job_id)))
        except grpc.aio.AioRpcError as error:
            code = error.code()
        else:
            return pb.JobStatus.Name(job.status).removeprefix("JOB_STATUS_")
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        return None

    def code_of(self, call: Callable[[], Awaitable[Any]]) -> grpc.StatusCode:
        try:
            self.run(call)
        except grpc.aio.AioRpcError as error:
            return error.code()
        raise AssertionError("the call went well")

    # Steps of a worker.

    @rule(job_id=jobs, want=st.integers(1, 3))
    def take(self, job_id: str, want: int) -> None:
        if self.holding is not None:
            return
        model = self.models[job_id]
        self.touched = job_id
        worker = Worker(self.served.service.store, f"worker {next(self.numbers)}")
        claimed = self.run(lambda: worker.take(job_id, want))
        if model.state != "RUNNING":
            assert not claimed
        if worker.slot is not None:
            self.holding = Holding(worker, model, claimed)

    @rule(want=st.integers(1, 3))
    def take_more(self, want: int) -> None:
        held = self.holding
        if held is not None and not held.claimed:
            held.claimed = self.run(lambda: held.worker.take(held.job.id, want))
            assert held.job.state == "RUNNING" or not held.claimed

    @rule(good=st.booleans())
    def put(self, good: bool) -> None:
        held = self.holding
        if held is None or not held.claimed:
            return
        one = held.claimed.pop(0)
        model = held.job
        self.touched = model.id
        assert (one.index, one.phase) not in model.done
        assert one.index not in model.failed
        assert one.phase == sum(item == one.index for item, _ in model.done)
        output = f"{one.index}.{one.phase}"
        self.run(lambda: held.worker.put([done(one, output=output) if good else broke(one)]))
        if good:
            model.done[one.index, one.phase] = output
        else:
            model.failed.add(one.index)

    @rule(dies=st.booleans())
    def part(self, dies: bool) -> None:
        self.leave(dies=dies)

    def leave(self, *, dies: bool) -> None:
        held, self.holding = self.holding, None
        if held is None:
            return
        if dies:
            self.run(lambda: asyncio.to_thread(self.served.service.store.expire, held.worker.name))
        else:
            self.run(lambda: held.worker.leave())
        held.job.settle()
        self.touched = held.job.id

    @rule(job_id=jobs)
    def finish(self, job_id: str) -> None:
        """No job is stuck: in every state, a worker that continues brings it to its end."""
        model = self.models[job_id]
        self.touched = job_id
        if model.state != "RUNNING" or self.holding is not None:
            return
        self.run(lambda: self.work_to_the_end(job_id))
        for item in set(range(model.items)) - model.failed:
            model.done |= {(item, phase): f"{item}.{phase}" for phase in range(model.phases)}
        model.settle()

    async def work_to_the_end(self, job_id: str) -> None:
        worker = Worker(self.served.service.store, f"worker {next(self.numbers)}")
        async with asyncio.timeout(PATIENCE):
            job = pb.Job(status=pb.JOB_STATUS_RUNNING)
            while job.status == pb.JOB_STATUS_RUNNING:
                await worker.work(job_id, lambda one: done(one, output=f"{one.index}.{one.phase}"))
                job = await self.served.stub.GetJob(pb.GetJobRequest(job_id=job_id))

    # Invariants.

    @invariant()
    def the_job_is_as_the_model_says(self) -> None:
        if self.touched:
            self.check(self.models[self.touched])

    def check(self, model: Model) -> None:
        job = self.run(lambda: self.served.stub.GetJob(pb.GetJobRequest(job_id=model.id)))
        if self.holding is None:  # a job whose last item is done ends with its last slot
            assert pb.JobStatus.Name(job.status) == f"JOB_STATUS_{model.state}"
        counts = (job.total_items, job.completed_items, job.failed_items)
        assert counts == (model.items, len(model.completed), len(model.failed))
        answer = self.run(lambda: self.served.http.get(f"/v1/jobs/{model.id}/results"))
        page = json_format.Parse(answer.text, pb.GetResultsResponse())
        assert [one.item_index for one in page.results] == list(range(model.items))
        outputs = {
            (one.item_index, int(name[1:])): output
            for one in page.results
            for name, output in one.phase_outputs.items()
        }
        assert outputs == model.done
        states = {one.item_index: one.status for one in page.results}
        assert {index for index, state in states.items() if state == pb.ITEM_STATUS_COMPLETED} == model.completed
        assert {index for index, state in states.items() if state == pb.ITEM_STATUS_FAILED} == model.failed


class TestJobs(Machine.TestCase):  # type: ignore[misc, valid-type] # made by Hypothesis
    """The examples."""

    settings = settings(
        max_examples=20,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Steps go over the wire to a disk, so shrinking a failing example takes minutes.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )

    @classmethod
    def setUpClass(cls) -> None:
        Machine.running = Running()

    @classmethod
    def tearDownClass(cls) -> None:
        Machine.running.close()
