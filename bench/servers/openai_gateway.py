"""The AI services with one model, behind the server with OpenAI's protocol at the port given as the argument."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from artificer_services.ai.build import AiService, AiSettings
from artificer_services.ai.models.settings import ScriptedEmbeddingSettings, UpstreamChatSettings
from artificer_services.kit.composition import gateway_of
from bench.servers.listen import HOST, announce
from diptych import Settings


async def _serve(port: int) -> None:
    model = UpstreamChatSettings(base_url=f"http://{HOST}:{port}/v1")
    embedder = ScriptedEmbeddingSettings()
    service = AiService(AiSettings(chat_models={"relayed": model}, embedding_models={"words": embedder}))
    async with gateway_of(Settings(http_port=0, grpc_port=0), [service]) as gateway:
        announce(http=gateway.http_port, grpc=gateway.grpc_port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
