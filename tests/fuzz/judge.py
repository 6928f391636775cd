"""The rules for faults in a server's answers, and the faults and counts of a run.

The server's log is more reliable than its answers: it has each unexpected error, with the id that the client got.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MEANT = "meant:"
"""The prefix of the fuzzed servicer's intended failures."""

_ON_PURPOSE = (MEANT, "the clock fell down", "the line broke")
_FRAMING = (
    *(
        "truncated request: the last message is incomplete",
        "unsupported envelope flags 0x",
        "a message has the compressed flag, but no header",
    ),
    *("a message is not valid gzip, the encoding", "truncated gzip message"),
)
"""The messages of INTERNAL for broken framing over gRPC and gRPC-Web, as gRPC's own libraries answer, and for a
compressed flag without an encoding over Connect too."""

_CLIENTS_OWN = ("Internal error from Core",)
"""grpcio's client's name for a call that it ended during a request."""

_GRPCIO = ("ExecuteBatchError raised in core", "Invalid encoding on b", "'utf-8' codec can't decode")
"""grpcio's log lines about clients that disconnect during an answer, and about metadata and paths that are not text."""

_STARTED_ANEW = "the gRPC server ended by itself"
_ENDED = re.compile("Task exception was never retrieved\nfuture: .* exception=UnicodeDecodeError\\('utf-8', b'/")
"""Such a path ends grpcio's whole server (docs/grpc.md), which must then restart."""

_EXPECTED = (*_ON_PURPOSE, *_FRAMING, *_CLIENTS_OWN)
_ERROR_ID = re.compile(r"internal error, id ([0-9a-f]{16})")
_LOGGED = re.compile(r"unexpected error ([0-9a-f]{16}) in (\S+)")
_CORE = re.compile(r"[EWI]\d{4} \S+ +\d+ (\S+\.cc)")
_LEAKED = re.compile(r"Traceback \(most recent|secret: |\.py\", line \d|site-packages")
_FAILING = "KitchenService/Fail"
_KEPT = 4096
"""Bytes of an input that a fault shows, and inputs that wait for a log line."""

# These codes are never the client's fault. UNIMPLEMENTED and DEADLINE_EXCEEDED (501, 504) can be: for a method that
# does not exist and a deadline that is too short.
SERVER_CODES = frozenset(("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"))
_MEANT_STATUS = frozenset((501, 504))


@dataclass(frozen=True)
class Input:
    """An input: its bytes, and the kind and number that reproduce it."""

    kind: str
    number: int
    sent: bytes

    def __str__(self) -> str:
        shown = repr(self.sent[:_KEPT]) + ("…" if len(self.sent) > _KEPT else "")
        return f"{self.kind} number {self.number}, {len(self.sent)} bytes: {shown}"


@dataclass
class Judge:
    """Collects the faults and counts of a run."""

    seen: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    expected_errors: int = 0
    _core: bool = False
    _by_id: dict[str, Input] = field(default_factory=dict)

    def count(self, thrown: Input, outcome: str) -> None:
        """Counts how an input ended."""
        self.seen.setdefault(thrown.kind, Counter())[outcome] += 1

    def fault(self, thrown: Input | None, what: str) -> None:
        """Records a fault."""
        self.faults.append(what if thrown is None else f"{what}\n    by {thrown}")

    def http(self, thrown: Input, status: int, body: bytes) -> None:
        """Judges an HTTP response."""
        self.count(thrown, str(status))
        text = body[:65536].decode("latin-1")
        self.leaks(thrown, text)
        if status < 500 or status in _MEANT_STATUS or self._intended(thrown, text):
            return
        if '"metadata"' in text and '"error"' not in text and '"peer"' in text:
            return  # Inspect answers with the requested status
        self.fault(thrown, f"a status {status}: {text[:500]!r}")

    def call(self, thrown: Input, code: str, message: str) -> None:
        """Judges the end of a call over an RPC protocol."""
        self.count(thrown, code)
        self.leaks(thrown, message)
        if code in SERVER_CODES and not self._intended(thrown, message):
            self.fault(thrown, f"a call that ended with {code}: {message[:500]!r}")

    def leaks(self, thrown: Input, text: str) -> None:
        """Records a fault if an answer reveals internals."""
        if _LEAKED.search(text) and MEANT not in text:
            self.fault(thrown, f"an answer that shows the inside: {text[:500]!r}")

    def _intended(self, thrown: Input, text: str) -> bool:
        """Whether the failure is intended, or the log will explain it."""
        found = _ERROR_ID.search(text)
        if found:
            self._by_id[found[1]] = thrown
            if len(self._by_id) > _KEPT:
                del self._by_id[next(iter(self._by_id))]
        return found is not None or any(word in text for word in _EXPECTED)

    def log(self, line: str) -> None:
        """Judges a line of the server's log."""
        if not line.strip():
            return
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            # gRPC's core logs in its own form, also about its clients' input.
            core = _CORE.match(line)
            self._core = core is not None or (
                self._core and "Traceback" not in line
            )  # a log entry may have several lines
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
