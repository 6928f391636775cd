"""Makes models of their settings: the one place that knows every kind.

Libraries of a kind are imported when the first model of that kind is made, or used.
"""

from __future__ import annotations

from .local.chat import LocalChat
from .local.embedding import LocalEmbedding
from .model import ChatModel, EmbeddingModel
from .scripted import ScriptedChat, ScriptedEmbedding
from .settings import (
    ChatSettings,
    EmbeddingSettings,
    LocalChatSettings,
    LocalEmbeddingSettings,
    ScriptedChatSettings,
    ScriptedEmbeddingSettings,
    UpstreamChatSettings,
    UpstreamEmbeddingSettings,
)


def chat_model(name: str, settings: ChatSettings) -> ChatModel:
    """Returns a chat model. Raises InvalidSetting."""
    match settings:
        case LocalChatSettings():
            return LocalChat(name, settings)
        case ScriptedChatSettings():
            return ScriptedChat(name, settings)
        case UpstreamChatSettings():
            from .upstream.chat import UpstreamChat

            return UpstreamChat(name, settings)


def embedding_model(name: str, settings: EmbeddingSettings) -> EmbeddingModel:
    """Returns an embedding model. Raises InvalidSetting."""
    match settings:
        case LocalEmbeddingSettings():
            return LocalEmbedding(name, settings)
        case ScriptedEmbeddingSettings():
            return ScriptedEmbedding(name, settings)
        case UpstreamEmbeddingSettings():
            from .upstream.embeddings import UpstreamEmbeddings

            return UpstreamEmbeddings(name, settings)
