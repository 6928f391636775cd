"""`python -m bench.imports`: CPU milliseconds of importing the gateway and of making one, compared with its libraries.

It prints medians of new processes, less the start of Python itself; an import may cost 1.1 times those libraries.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

ROUNDS = 15
LIBRARIES = "import grpc, grpc.aio, fastapi, uvicorn"
CODES = {
    "nothing": "pass",
    "diptych": "import diptych",
    "libraries": LIBRARIES,
    "gateway": "from diptych import Gateway",
    "made": "from diptych import Gateway; Gateway().build()",
}


def _cpu(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    rounds = [{name: _cpu(code) for name, code in CODES.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(one[name] for one in rounds) for name in CODES}
    own = {name: median - medians["nothing"] for name, median in medians.items() if name != "nothing"}
    for name, milliseconds in own.items():
        print(f"{CODES[name]:<50} {milliseconds:7.0f} ms")
    print(f"gateway / libraries {own['gateway'] / own['libraries']:.2f} (target 1.10)")


if __name__ == "__main__":
    main()
