"""Every method by its full name. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .._method import Method

_MODULES = {
    "artificer.ai.v1.AiWorkerService": "ai",
    "artificer.batch.v1.BatchService": "batch",
    "artificer.chat.v1.MessageService": "chat",
    "artificer.conversation.v1.ConversationService": "conversation",
    "artificer.convert.v1.ConversionService": "convert",
    "artificer.image.v1.ImageService": "image",
    "artificer.ocr.v1.OCRService": "ocr",
    "artificer.openai.v1.OpenAIService": "openai",
    "artificer.rag.v1.RagService": "rag",
}
"""The module of each service, imported when one of its methods is first asked for."""


def find(name: str) -> Method[Any, Any]:
    """Returns the method of a full name. Raises KeyError for an unknown one."""
    return _methods(_MODULES[name.partition("/")[0]])[name]


def names() -> list[str]:
    """Returns the full names of all methods."""
    return [name for module in dict.fromkeys(_MODULES.values()) for name in _methods(module)]


def _methods(module: str) -> dict[str, Method[Any, Any]]:
    found: dict[str, Method[Any, Any]] = import_module(f"{__name__}.{module}").METHODS
    return found
