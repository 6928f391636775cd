"""The chat model in a process with nothing but xllamacpp: `python -m bench.ai.alone FILE THREADS CONTEXT`.

Reads one chat in OpenAI's form as JSON per line of standard input, and answers with a line that has the seconds until
the first text and until the end, and the tokens that were generated.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import xllamacpp

_AT_ONCE, _CACHE_MIB = 2, 256  # the settings' defaults


def model(file: str, threads: int, context: int) -> Any:
    """Returns llama.cpp with what the services' worker process sets by default: two requests at once."""
    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_parallel = _AT_ONCE
    params.n_ctx = context * _AT_ONCE
    params.cache_ram_mib = _CACHE_MIB
    params.fit_params = False
    params.n_batch = params.n_ubatch = 128
    params.warmup = False
    params.verbosity = 0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads
        cpu.poll = 0
    return xllamacpp.Server(params)


def answer(server: Any, chat: dict[str, Any]) -> dict[str, float]:
    """Generates an answer, and returns its figures."""
    first, tokens = 0.0, 0
    began = time.perf_counter()

    def take(chunk: dict[str, Any]) -> bool:
        nonlocal first, tokens
        for choice in chunk.get("choices", ()):
            if choice.get("delta", {}).get("content") and not first:
                first = time.perf_counter() - began
        if usage := chunk.get("usage"):
            tokens = usage["completion_tokens"]
        return False

    server.handle_chat_completions(chat, take)
    return {"first": first, "seconds": time.perf_counter() - began, "tokens": tokens}


def main() -> None:
    """Answers until standard input ends."""
    file, threads, context = sys.argv[1:]
    server = model(file, int(threads), int(context))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(server, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
