"""Stops, reloads and crashes of workers while calls run on every face."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence

from bench.production.calls import Account, Call, Caller, Rest, Rpc, load
from bench.production.program import Program, serving

FACES: dict[str, Sequence[str]] = {
    "two ports, builtin": (),
    "two ports, grpcio": ("--set", "grpc_engine=grpcio"),
    "two ports, native": ("--set", "grpc_engine=native"),
    "single port": ("--single-port",),
}
WARM_SECONDS, AFTER_SECONDS = 1.0, 1.0
CLIENTS = 4
REPLACED_RATIO = 2.0
"""How long a replacement may take, as a multiple of the whole program's start without load."""
Row = list[str]
HEAD = ["what", "face", "calls answered", "lost", "of them begun by a servicer", "resent", "target", "held"]
KILL_HEAD = [
    "face",
    "calls answered",
    "lost",
    "of them its own",
    "replaced in s",
    "a start in s",
    "target",
    "held",
]


@contextlib.asynccontextmanager
async def _callers(program: Program) -> AsyncIterator[dict[str, list[Caller]]]:
    rest: list[Rest] = [Rest(program, kept=True) for _ in range(CLIENTS)]
    fresh = [Rest(program, kept=False) for _ in range(CLIENTS // 2)]
    slow = [Rest(program, kept=True, path="/v1/wait") for _ in range(CLIENTS)]
    rpc = [Rpc(program) for _ in range(CLIENTS)] + [Rpc(program, slow=True) for _ in range(CLIENTS)]
    try:
        yield {"REST, kept": [*rest, *slow], "REST, new": [*fresh], "gRPC": [*rpc]}
    finally:
        for one in (*rest, *fresh, *slow):
            one.close()
        for client in rpc:
            await client.end()


@contextlib.asynccontextmanager
async def _loads(program: Program, *, stop_at_lost: bool = False) -> AsyncIterator[dict[str, Account]]:
    async with _callers(program) as callers, contextlib.AsyncExitStack() as stack:
        accounts = {
            name: await stack.enter_async_context(load(*some, stop_at_lost=stop_at_lost))
            for name, some in callers.items()
        }
        await asyncio.sleep(WARM_SECONDS)
        yield accounts


async def reload(face: str) -> list[Row]:
    """Makes two rolling reloads, one after the other."""
    async with serving(*FACES[face], workers=2) as program:
        async with _loads(program) as accounts:
            for _ in range(2):
                said = len(program.log)
                program.signal(signal.SIGHUP)
                await program.said("reloaded: HTTP on ", said)
            await asyncio.sleep(AFTER_SECONDS)
        return [
            _row("reload", face, name, one, program, whole=name != "gRPC" or face == "single port")
            for name, one in accounts.items()
        ]


async def stop(face: str, workers: int) -> list[Row]:
    """Sends SIGTERM; a call that no servicer began counts as refused, since in the end no process serves."""
    async with serving(*FACES[face], workers=workers) as program:
        async with _loads(program, stop_at_lost=True) as accounts:
            program.signal(signal.SIGTERM)
            code = await program.process.wait()
        what = f"SIGTERM, {workers} {'worker' if workers == 1 else 'workers'}, exit code {code}"
        return [_row(what, face, name, one, program, whole=False) for name, one in accounts.items()]


def _row(what: str, face: str, who: str, account: Account, program: Program, *, whole: bool) -> Row:
    """With `whole` no call may be lost; otherwise no call that a servicer had begun."""
    seen = program.seen()
    begun = [(call, why) for call, why in account.lost if call.id in seen]
    bad = account.lost if whole else begun
    target = "none lost" if whole else "none begun is lost"
    for call, why in bad[:3]:
        print(f"{what}, {face}, {who}: {call.id}: {why}")
    counts = [f"{len(account.took):,}", str(len(account.lost)), str(len(begun)), str(account.resent)]
    return [what, f"{face}: {who}", *counts, target, "NO" if bad or not account.took else "yes"]


async def kill(face: str) -> list[Row]:
    """Kills one worker of two with SIGKILL."""
    async with serving(*FACES[face], workers=2) as program:
        async with _loads(program) as accounts:
            victim, said = program.workers()[0], len(program.log)
            killed = time.perf_counter()
            os.kill(victim, signal.SIGKILL)
            await program.said(r"worker 0 \(process \d+\) serves", said)
            replaced = time.perf_counter() - killed
            await asyncio.sleep(AFTER_SECONDS)
        seen, rows = program.seen(), []
        for name, account in accounts.items():
            own = [call for call, _ in account.lost if _was_of(victim, call, seen.get(call.id), killed)]
            held = len(own) == len(account.lost) and replaced <= program.start_seconds * REPLACED_RATIO
            for call, why in account.lost[:20]:
                if call not in own:
                    print(f"kill -9, {face}, {name}: {call} begun {call.began - killed:.3f} s after: {why}")
            counts = [
                f"{len(account.took):,}",
                str(len(account.lost)),
                str(len(own)),
                f"{replaced:.1f}",
                f"{program.start_seconds:.1f}",
            ]
            target = f"only its own, ≤ {REPLACED_RATIO:g} starts"
            rows.append([f"{face}: {name}", *counts, target, "yes" if held and account.took else "NO"])
        return rows


def _was_of(victim: int, call: Call, begun_by: int | None, killed: float) -> bool:
    """Whether the call was on the dead worker's connection. A connection without an answer yet has no known process."""
    if begun_by is not None:
        return begun_by == victim
    return call.worker == victim or (not call.worker and call.began <= killed)
