"""`client.chat`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, Unpack, overload

from ... import types
from ..._methods.ai import AiWorkerService
from ..._methods.openai import OpenAIService
from ..._options import CallOptions
from ..answers import AnswerStream
from ..completions import completion
from ..resource import Resource
from ..streams import Stream


class ChatCompletions(Resource):
    """`client.chat.completions`."""

    @overload
    def create(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str | None = None,
        stream: Literal[False] | None = None,
        stream_options: types.openai.StreamOptions | Mapping[str, Any] | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logit_bias: Mapping[str, Any] | None = None,
        logprobs: bool | None = None,
        n: int | None = None,
        user: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        store: bool | None = None,
        reasoning_effort: str | None = None,
        service_tier: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.completions.ChatCompletion: ...

    @overload
    def create(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str | None = None,
        stream: Literal[True],
        stream_options: types.openai.StreamOptions | Mapping[str, Any] | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logit_bias: Mapping[str, Any] | None = None,
        logprobs: bool | None = None,
        n: int | None = None,
        user: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        store: bool | None = None,
        reasoning_effort: str | None = None,
        service_tier: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Stream[types.completions.ChatCompletionChunk]: ...

    def create(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str | None = None,
        stream: bool | None = None,
        stream_options: types.openai.StreamOptions | Mapping[str, Any] | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logit_bias: Mapping[str, Any] | None = None,
        logprobs: bool | None = None,
        n: int | None = None,
        user: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        store: bool | None = None,
        reasoning_effort: str | None = None,
        service_tier: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.completions.ChatCompletion | Stream[types.completions.ChatCompletionChunk]:
        """Answers a chat: with a ChatCompletion as JSON, or, if `stream` is set, with Server-Sent Events of
        ChatCompletionChunk whose last one is `[DONE]`. The answer is bytes, since one method has one type of
        answer.

        Args:
            messages: The messages: `role` and `content` (a text, or a list of parts of type `text`),
                `tool_calls`, `tool_call_id`, `name`.
            model: The name of the model; the server's default if it is empty.
            stream: Whether the answer comes as a stream of chunks.
            stream_options: What a stream has besides text.
            max_tokens: The most tokens to generate.
            max_completion_tokens: The same, by its newer name, which wins.
            temperature: From 0 to 2.
            top_p: Above 0 and up to 1.
            stop: A text that ends the answer, or a list of up to 4.
            seed: Makes a model that supports it repeat the same answer.
            response_format: `{"type": "text"}`, `json_object`, or `json_schema` with a schema.
            tools: The tools that the model may ask for.
            tool_choice: Whether and which tool the model asks for.
            parallel_tool_calls: Whether the model may ask for several tools at once.
            frequency_penalty: From -2 to 2.
            presence_penalty: From -2 to 2.
            logit_bias: Weights of tokens; passed on to models behind an upstream, refused by others.
            logprobs: Only false is accepted.
            n: The number of answers; only 1 is accepted.
            user: The user of the application; not used.
            metadata: Not used.
            store: Only false is accepted.
            reasoning_effort: Passed on to models behind an upstream, not used by others.
            service_tier: Not used.
        """
        return completion(
            self._calls,
            OpenAIService.CREATE_CHAT_COMPLETION,
            {
                "messages": messages,
                "model": model,
                "stream": stream,
                "stream_options": stream_options,
                "max_tokens": max_tokens,
                "max_completion_tokens": max_completion_tokens,
                "temperature": temperature,
                "top_p": top_p,
                "stop": stop,
                "seed": seed,
                "response_format": response_format,
                "tools": tools,
                "tool_choice": tool_choice,
                "parallel_tool_calls": parallel_tool_calls,
                "frequency_penalty": frequency_penalty,
                "presence_penalty": presence_penalty,
                "logit_bias": logit_bias,
                "logprobs": logprobs,
                "n": n,
                "user": user,
                "metadata": metadata,
                "store": store,
                "reasoning_effort": reasoning_effort,
                "service_tier": service_tier,
            },
            call_options,
        )


class Chat(Resource):
    """`client.chat`: answers of language models."""

    @cached_property
    def completions(self) -> ChatCompletions:
        """`client.chat.completions`."""
        return ChatCompletions(self._calls)

    def stream(
        self,
        messages: Sequence[types.ai.ChatMessage | Mapping[str, Any]],
        *,
        model: str | None = None,
        options: types.ai.ChatOptions | Mapping[str, Any] | None = None,
        tools: Sequence[types.ai.Tool | Mapping[str, Any]] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> AnswerStream[types.ai.ChatStreamResponse]:
        """Sends a chat to a model and streams its answer. The last message of the stream has the finish reason and
        the usage. A caller that leaves stops the model.

        Args:
            messages: The messages, oldest first.
            model: The name of the model; the server's default if it is empty.
            options: How the model generates.
            tools: The tools that the model may ask for. A model without tools refuses them.
        """
        return AnswerStream(
            self._calls.stream(
                AiWorkerService.CHAT_STREAM,
                {"messages": messages, "model": model, "options": options, "tools": tools},
                call_options,
            )
        )
