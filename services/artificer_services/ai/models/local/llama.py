"""The program of a worker process that runs llama.cpp: chats in, deltas out.

It is llama.cpp's own server, called as a library. That server also listens for HTTP, without authentication; here on a
socket in the worker's folder, which no other user can enter, and which the worker itself asks to count tokens.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import xllamacpp

from ....kit.workers import wire
from ....kit.workers.serve_streams import Send, serve_streams
from .answer import AnswerReader, refusal

_SOCKET = "llama.sock"


class Llama:
    """One loaded model."""

    def __init__(self, setup: wire.Frame) -> None:
        # A socket's address has at most 107 characters, so the folder is entered, and not named.
        os.chdir(tempfile.gettempdir())
        self._server = xllamacpp.Server(_parameters(setup))
        Path(_SOCKET).chmod(0o600)
        self.greeting: wire.Frame = {}

    def run(self, request: wire.Frame, send: Send, left: threading.Event) -> None:
        """Answer a chat, count its tokens, or say how many steps were computed since the start."""
        match request["do"]:
            case "answer":
                self._answer(request["chat"], send, left)
            case "count":
                send({"tokens": _count(request["chat"])})
            case "steps":
                send({"steps": self._steps()})

    def _answer(self, chat: dict[str, Any], send: Send, left: threading.Event) -> None:
        reader = AnswerReader(send)

        def take(chunk: dict[str, Any]) -> bool:
            reader.take(chunk)
            if not reader.sent:
                send({"working": True})  # a batch of the prompt has been read, or a piece of a tool call has come
            return left.is_set()

        try:
            if chat.get("tools") and not _shows_tools(chat):
                send({"no_tools": True})
                return
            self._server.handle_chat_completions(chat, take)
        except ValueError as error:  # llama.cpp's word for an invalid request
            send(refusal(str(error)))
        else:
            reader.end()

    def _steps(self) -> int:
        """Returns the steps by llama.cpp's own count, whose count of tokens leaves out answers that were cancelled."""
        for line in self._server.handle_metrics().splitlines():
            name, _, value = line.partition(" ")
            if name == "llamacpp:n_decode_total":
                return int(float(value))
        raise RuntimeError("llama.cpp does not count its steps")


def _count(chat: dict[str, Any]) -> int:
    """Returns the tokens of a chat in the model's template."""
    prompt = _ask("/apply-template", chat)["prompt"]
    return len(_ask("/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"])


def _shows_tools(chat: dict[str, Any]) -> bool:
    """Whether the model's template shows tools to the model; else llama.cpp drops them without a word."""
    without = {name: value for name, value in chat.items() if name not in ("tools", "tool_choice")}
    return bool(_ask("/apply-template", chat)["prompt"] != _ask("/apply-template", without)["prompt"])


def _parameters(setup: wire.Frame) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = setup["path"]
    params.n_parallel = setup["concurrency"]
    params.n_ctx = setup["context_tokens"] * setup["concurrency"]  # of all requests together
    params.n_gpu_layers = setup["gpu_layers"]
    params.cache_ram_mib = setup["cache_mib"]
    params.hostnames = [_SOCKET]
    params.warmup = False  # the first request warms up as well
    params.fit_params = False  # else it may choose a smaller context than the settings say
    params.verbosity = 0
    params.endpoint_metrics = True  # else it counts nothing
    if setup["chat_template"]:
        params.chat_template = setup["chat_template"]
    if not setup["gpu_layers"]:
        # A request that is cancelled while its prompt is read stops after a batch of it. Without a GPU, small batches
        # cost nothing.
        params.n_batch = params.n_ubatch = 128
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = setup["threads"]
        cpu.poll = 0  # as OpenMP's threads, see `chat`
    return params


class _Connection(http.client.HTTPConnection):
    """A connection to the server in this process."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(_SOCKET)


def _ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = _Connection("localhost")
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    finally:
        connection.close()
    if "error" in answer:
        raise ValueError(answer["error"].get("message", "llama.cpp refused the request"))
    return answer


if __name__ == "__main__":
    serve_streams(Llama)
