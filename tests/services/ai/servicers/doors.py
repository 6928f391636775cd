"""Gateways whose models are scripted, or behind another such gateway: a real server with OpenAI's protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai

from artificer_services.ai.build import AiSettings
from artificer_services.ai.models.settings import (
    ScriptedChatSettings,
    ScriptedEmbeddingSettings,
    UpstreamChatSettings,
    UpstreamEmbeddingSettings,
)
from tests.services.ai.serving import Faces, serve

FOX = "The quick brown fox."
CALLS = json.dumps([{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "time"}])

SCRIPTED = AiSettings(
    chat_models={
        "fox": ScriptedChatSettings(replies=(FOX,)),
        "echo": ScriptedChatSettings(context_tokens=50),
        "tools": ScriptedChatSettings(replies=(FOX,), tool_calls=CALLS),
        "breaking": ScriptedChatSettings(replies=(FOX,), fail_after=2),
    },
    embedding_models={"team/words": ScriptedEmbeddingSettings(dimension=8)},
    max_embed_texts=5,
)


def relayed(url: str) -> AiSettings:
    """Returns the settings of the same models behind another gateway."""
    chats = {name: UpstreamChatSettings(base_url=url, retries=0) for name in SCRIPTED.chat_models}
    words = UpstreamEmbeddingSettings(base_url=url, dimension=8, retries=0)
    return AiSettings(chat_models=chats, embedding_models={"team/words": words}, max_embed_texts=5)


@asynccontextmanager
async def relaying() -> AsyncIterator[tuple[Faces, Faces]]:
    """Serve a gateway whose models are behind another; yields both, the one in front first."""
    async with serve(SCRIPTED) as behind, serve(relayed(behind.url)) as front:
        yield front, behind


@asynccontextmanager
async def client_of(faces: Faces, key: str = "none") -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client, unchanged."""
    async with openai.AsyncOpenAI(base_url=faces.url, api_key=key, max_retries=0) as client:
        yield client
