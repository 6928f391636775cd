"""A database that goes away while a model answers, and comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from artificer.conversation.v1 import conversation_service_pb2 as pb
from tests.services.mortal import MortalPostgres
from tests.waiting import until_told

from .conftest import Serve, migrated, refused
from .gates import Gate

STORY = " ".join(f"word{number}" for number in range(400))


async def test_an_answer_outlives_an_outage_of_its_database(
    database: MortalPostgres, serve: Serve, tmp_path: Path
) -> None:
    place = {"data_dir": str(tmp_path), "database_url": database.url}
    await asyncio.to_thread(migrated, database_url=database.url)
    settings = {"flush_seconds": 0.1, "lease_seconds": 60.0}
    async with serve(place, chat={"replies": (STORY,)}, **settings) as served:
        gate = served.model.gate = Gate(3)
        id_ = await served.start()
        sending = asyncio.create_task(served.send(id_, "Hello"))
        await gate.held.wait()
        await asyncio.to_thread(database.kill)

        async def down() -> bool:
            return (await served.http.get(f"/v1/conversations/{id_}")).status_code == 503

        await until_told(down)
        error = await refused(served.stub.SendMessage(pb.SendMessageRequest(conversation=id_, content="No")).read())
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        gate.allow(1000)
        await asyncio.to_thread(database.start)
        finished = (await sending)[-1].finished
        assert (finished.content, finished.state) == (STORY, pb.MESSAGE_STATE_COMPLETE)
        assert (await served.messages(id_))[-1] == finished
