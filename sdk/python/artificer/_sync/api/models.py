"""`client.models`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from typing import Unpack

from ... import types
from ..._methods.openai import OpenAIService
from ..._options import CallOptions
from ..pages import Pager
from ..resource import Resource


class Models(Resource):
    """`client.models`: the models that the server has."""

    def list(self, **call_options: Unpack[CallOptions]) -> Pager[types.openai.Model]:
        """Returns the models of the server's settings, for chat and for embeddings."""
        return self._calls.pages(OpenAIService.LIST_MODELS, "data", {}, call_options)

    def get(self, model: str, **call_options: Unpack[CallOptions]) -> types.openai.Model:
        """Returns one model.

        Args:
            model: The name of the model.
        """
        return self._calls.unary(OpenAIService.GET_MODEL, {"model": model}, call_options)
