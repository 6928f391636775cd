"""A server that is killed leaves no process of a model behind, and its folder only until the next one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from artificer_services.ai.models.local.chat import LocalChat
from artificer_services.ai.models.settings import LocalChatSettings
from artificer_services.ai.models.values import Message
from tests.waiting import exited

SERVER = """
import asyncio
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.models.settings import ModelsSettings
from artificer_services.ai.models.values import Chat, Message, Options

async def main():
    models = Models(ModelsSettings())
    await models.embed("", ["a text"])
    chat = Chat(messages=(Message(role="user", content="Tell me a long story."),), options=Options(max_tokens=3000))
    batches = models.generate("", chat)
    await anext(batches)
    (worker,) = models.embedding_model().pool.workers
    print(models.chat_model().pid, worker.pid, flush=True)
    async for _ in batches:
        pass
    print("it ended", flush=True)

asyncio.run(main())
"""


async def test_the_processes_of_models_die_with_a_server_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    assert server.stdout is not None
    processes = [int(pid) for pid in (await server.stdout.readline()).split()]
    assert len(processes) == 2
    gone = [os.pidfd_open(pid) for pid in processes]
    server.kill()
    await exited(*gone)
    assert await server.stdout.read() == b"", "it was killed in the middle of an answer"
    await server.wait()
    assert len(os.listdir(tmp_path)) == 1  # the folder of llama.cpp's socket
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = LocalChat("smol", LocalChatSettings(context_tokens=512))
    try:
        assert await model.count([Message(role="user", content="hello")]) > 5
        assert os.listdir(tmp_path) == [folder for folder in os.listdir(tmp_path) if f"-{os.getpid()}-" in folder]
    finally:
        await model.stop()
    assert not os.listdir(tmp_path)
