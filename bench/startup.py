"""`python -m bench.startup`: what a contract of 11,000 bindings costs until it could serve, and its document.

Each line is a new process, which does one step more than that of the line before: CPU seconds and the most memory.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BINDINGS = 11_000
STEPS = {
    "imports": "Python, the library, and nothing registered",
    "protos": "the messages' classes, as generated modules make them",
    "register": "the servicers registered",
    "build": "everything resolved: the gateway could serve",
    "openapi": "the OpenAPI document, as JSON",
}


def _child(step: str, path: str) -> None:
    import grpc
    import orjson
    from google.api import annotations_pb2, field_behavior_pb2
    from google.protobuf import descriptor_pool, empty_pb2, field_mask_pb2, message_factory, timestamp_pb2

    from diptych import Gateway

    gateway = Gateway()
    if step == "imports":
        return
    # The contract imports their files.
    assert all((annotations_pb2, field_behavior_pb2, empty_pb2, field_mask_pb2, timestamp_pb2))
    pool = descriptor_pool.Default()
    names = []
    for name, serialized in pickle.loads(Path(path).read_bytes()):
        pool.AddSerializedFile(serialized)
        names.append(name)
    for name in names:
        for message in pool.FindFileByName(name).message_types_by_name.values():
            message_factory.GetMessageClass(message)
    if step == "protos":
        return

    async def never(request: Any, context: Any) -> Any:
        raise NotImplementedError

    for name in names:
        for service in pool.FindFileByName(name).services_by_name.values():
            handlers = {
                method.name: grpc.unary_unary_rpc_method_handler(
                    never,
                    request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
                    response_serializer=message_factory.GetMessageClass(method.output_type).SerializeToString,
                )
                for method in service.methods
            }
            gateway.add_registered_method_handlers(service.full_name, handlers)
    if step == "register":
        return
    gateway.build()
    if step == "build":
        return
    began = time.perf_counter()
    size = len(orjson.dumps(gateway.openapi()))
    print(f"{time.perf_counter() - began:.1f} s for the document of {size / 2**20:.0f} MiB", flush=True)


def _measured(step: str, path: str) -> tuple[float, float]:
    code = f"import sys; from bench.startup import _child; _child({step!r}, {path!r}); "
    code += "import resource as r, os; u = r.getrusage(r.RUSAGE_SELF); "
    code += "print('used', u.ru_utime + u.ru_stime, u.ru_maxrss, flush=True); os._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    *lines, last = done.stdout.splitlines()
    for line in lines:
        print(f"  {line}")
    _, seconds, kibibytes = last.split()
    return float(seconds), int(kibibytes) / 1024


def main() -> None:
    from bench import large

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bindings", type=int, default=BINDINGS)
    given = parser.parse_args()
    made = [(file.name, file.SerializeToString()) for file in large.files(given.bindings)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "files"
        path.write_bytes(pickle.dumps(made))
        print(f"{given.bindings} bindings, {sum(len(one) for _, one in made) / 2**20:.1f} MiB of descriptors")
        for step, text in STEPS.items():
            seconds, mebibytes = _measured(step, str(path))
            print(f"{step:9} {seconds:6.1f} s CPU {mebibytes:6.0f} MiB  {text}", flush=True)


if __name__ == "__main__":
    main()
