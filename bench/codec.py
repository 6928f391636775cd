"""The time of the JSON codec alone, by engine: microseconds for one dish, a nested dish and a list of a hundred.

`python -m bench.codec` prints a table. Each figure is the minimum of rounds that alternate between the engines.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import get_args

from google.protobuf import json_format
from google.protobuf.message import Message

from bench.records import NESTED, STORE
from bench.servicer import dish
from diptych.codec import Codec, Engine, JsonOptions
from kitchen.v1 import kitchen_service_pb2 as pb

_ENGINES: tuple[Engine, ...] = get_args(Engine)
_CODECS = {engine: Codec([pb.DESCRIPTOR], engine=engine) for engine in _ENGINES}
_MESSAGES: dict[str, tuple[Message, int]] = {
    # name: (message, calls in a round)
    "one dish": (dish(STORE[0]), 2000),
    "nested dish": (json_format.ParseDict(NESTED, pb.Dish()), 1000),
    "list of 100": (pb.ListDishesResponse(dishes=[dish(record) for record in STORE]), 30),
}


def _seconds(call: Callable[[], object], calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls


def _row(work: dict[str, Callable[[], object]], calls: int, rounds: int) -> list[float]:
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, call in work.items():
            best[name] = min(best[name], _seconds(call, max(1, calls // (20 if name == "fallback" else 1))))
    return [one * 1e6 for one in best.values()]


def _encode(engine: Engine, message: Message) -> Callable[[], bytes]:
    encode = _CODECS[engine].encoder(type(message), JsonOptions())
    return lambda: encode(message)


def _decode(engine: Engine, message: Message, body: bytes) -> Callable[[], Message]:
    decode = _CODECS[engine].decoder(type(message))
    return lambda: decode(body, [])


def main(rounds: int) -> None:
    print(f"{'µs':24s}" + "".join(f"{engine:>10s}" for engine in _ENGINES) + f"{'protobuf':>10s}")
    for name, (message, calls) in _MESSAGES.items():
        body = json.dumps(NESTED).encode() if message == _MESSAGES["nested dish"][0] else _encode("wire", message)()
        wire, made = message.SerializeToString(), type(message)
        rows: dict[str, dict[str, Callable[[], object]]] = {
            f"print {name}": {engine: _encode(engine, message) for engine in _ENGINES},
            f"parse {name}": {engine: _decode(engine, message, body) for engine in _ENGINES},
        }
        # What protobuf's own part of it takes, which no codec saves.
        rows[f"print {name}"]["protobuf"] = message.SerializeToString
        rows[f"parse {name}"]["protobuf"] = lambda made=made, wire=wire: made.FromString(wire)  # type: ignore[misc]
        for title, work in rows.items():
            print(f"{title:24s}" + "".join(f"{one:10.2f}" for one in _row(work, calls, rounds)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
