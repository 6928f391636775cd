"""What of a server's answers is a fault: the rules, and the faults and counts of a run.

The server's own log is the better witness: what it did not expect stands there, under the id that the client was told.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MEANT = "meant:"
"""How the fuzzed servicer begins what it fails with on purpose."""

_ON_PURPOSE = (MEANT, "the clock fell down", "the line broke")
_FRAMING = (
    *(
        "truncated request: the last message is incomplete",
        "unsupported envelope flags 0x",
        "a message has the compressed flag, but no header",
    ),
    *("a message is not valid gzip, the encoding", "truncated gzip message"),
)
"""What gRPC and gRPC-Web answer with INTERNAL to those who break the framing itself, as gRPC's own libraries do."""

_CLIENTS_OWN = ("Internal error from Core",)
"""What grpcio's client calls a call of its own that it ended amid a request."""

_GRPCIO = ("ExecuteBatchError raised in core", "Invalid encoding on b", "'utf-8' codec can't decode")
"""What grpcio logs by itself of clients that leave amid an answer, and of metadata and paths that are no text."""

_STARTED_ANEW = "the gRPC server ended by itself"
_ENDED = re.compile("Task exception was never retrieved\nfuture: .* exception=UnicodeDecodeError\\('utf-8', b'/")
"""Such a path ends grpcio's whole server (docs/grpc.md); what counts is that it is there again."""

_EXPECTED = (*_ON_PURPOSE, *_FRAMING, *_CLIENTS_OWN)
_ERROR_ID = re.compile(r"internal error, id ([0-9a-f]{16})")
_LOGGED = re.compile(r"unexpected error ([0-9a-f]{16}) in (\S+)")
_CORE = re.compile(r"[EWI]\d{4} \S+ +\d+ (\S+\.cc)")
_LEAKED = re.compile(r"Traceback \(most recent|secret: |\.py\", line \d|site-packages")
_FAILING = "KitchenService/Fail"
_KEPT = 4096
"""Bytes of an input that a fault shows, and inputs that wait for the log's word on them."""

# Of these codes a client is never at fault; UNIMPLEMENTED and DEADLINE_EXCEEDED (501, 504) are told to callers who
# call what there is not, or who have no time.
SERVER_CODES = frozenset(("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"))
_MEANT_STATUS = frozenset((501, 504))


@dataclass(frozen=True)
class Input:
    """What was thrown: by which kind and number it is made again, and what it was."""

    kind: str
    number: int
    sent: bytes

    def __str__(self) -> str:
        shown = repr(self.sent[:_KEPT]) + ("…" if len(self.sent) > _KEPT else "")
        return f"{self.kind} number {self.number}, {len(self.sent)} bytes: {shown}"


@dataclass
class Judge:
    """Collects what was seen."""

    seen: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    expected_errors: int = 0
    _core: bool = False
    _by_id: dict[str, Input] = field(default_factory=dict)

    def count(self, thrown: Input, outcome: str) -> None:
        """An input ended so."""
        self.seen.setdefault(thrown.kind, Counter())[outcome] += 1

    def fault(self, thrown: Input | None, what: str) -> None:
        """Something that may not be."""
        self.faults.append(what if thrown is None else f"{what}\n    by {thrown}")

    def http(self, thrown: Input, status: int, body: bytes) -> None:
        """A response of HTTP."""
        self.count(thrown, str(status))
        text = body[:65536].decode("latin-1")
        self.leaks(thrown, text)
        if status < 500 or status in _MEANT_STATUS or self._told(thrown, text):
            return
        if '"metadata"' in text and '"error"' not in text and '"peer"' in text:
            return  # Inspect answers with the status it is asked for
        self.fault(thrown, f"a status {status}: {text[:500]!r}")

    def call(self, thrown: Input, code: str, message: str) -> None:
        """How a call of an RPC protocol ended."""
        self.count(thrown, code)
        self.leaks(thrown, message)
        if code in SERVER_CODES and not self._told(thrown, message):
            self.fault(thrown, f"a call that ended with {code}: {message[:500]!r}")

    def leaks(self, thrown: Input, text: str) -> None:
        """No answer shows the inside."""
        if _LEAKED.search(text) and MEANT not in text:
            self.fault(thrown, f"an answer that shows the inside: {text[:500]!r}")

    def _told(self, thrown: Input, text: str) -> bool:
        """Whether the failure is meant, or the log will tell."""
        found = _ERROR_ID.search(text)
        if found:
            self._by_id[found[1]] = thrown
            if len(self._by_id) > _KEPT:
                del self._by_id[next(iter(self._by_id))]
        return found is not None or any(word in text for word in _EXPECTED)

    def log(self, line: str) -> None:
        """A line of the server's log."""
        if not line.strip():
            return
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            # gRPC's core writes in a form of its own, of what its clients send too.
            core = _CORE.match(line)
            self._core = core is not None or (self._core and "Traceback" not in line)  # its lines may have several
            entry = {"level": "warning", "event": core[1] if core else "and more"}
            if not self._core:
                entry = {"level": "error", "event": line.rstrip()}
        else:
            self._core = False
        event = str(entry.get("event", ""))
        if entry.get("level") not in ("warning", "error", "critical"):
            return
        if entry["level"] == "warning" and entry.get("logger") not in ("asyncio", "py.warnings"):
            self.warnings[event] += 1
            return
        found = _LOGGED.search(event)
        if event.startswith((*_GRPCIO, _STARTED_ANEW)) or _ENDED.match(event):
            self.warnings[event[:31]] += 1
            return
        if _FAILING in event:
            self.expected_errors += 1
            return
        thrown = self._by_id.get(found[1]) if found else None
        self.fault(thrown, f"the server logged {event}\n{entry.get('exception', '')}")
