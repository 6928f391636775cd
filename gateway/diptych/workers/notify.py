"""Notifies systemd of a service of `Type=notify` (sd_notify(3)), one datagram for each state."""

from __future__ import annotations

import contextlib
import os
import socket
import time

VARIABLE = "NOTIFY_SOCKET"


def notify(word: str) -> None:
    """Sends a state such as `READY=1`, if systemd asked for it."""
    address = os.environ.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    if word == "RELOADING=1":  # Type=notify-reload requires the time of the reload
        word += f"\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.sendto(word.encode(), "\0" + address[1:] if address[0] == "@" else address)
