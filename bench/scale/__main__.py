"""`python -m bench.scale`: measures how cost grows, and prints it; the whole of `make bench` contains the same."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import load, process
from bench.progress import reporter
from bench.scale import FULL, QUICK
from bench.scale.run import PARTS, parts


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.scale", description="Measure how cost grows.")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--only", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument("--pictures", type=Path, help="the folder that the pictures are written to")
    given = parser.parse_args()
    plan = QUICK if given.quick else FULL
    for part in parts(plan, load.generator(), process.cores(), reporter(), given.only or PARTS):
        print("\n".join(part.text()), flush=True)
        for name, picture in part.pictures.items():
            if given.pictures is not None:
                (given.pictures / name).write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
