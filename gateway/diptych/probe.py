"""`python -m diptych.probe [URL]`: asks a gateway how it is, as container engines do every few seconds.

It knows the standard library only: with the gateway's own imports each probe would cost a second of a core.
"""

from __future__ import annotations

import http.client
import ssl
import sys
from urllib.parse import urlsplit

READY = "http://127.0.0.1:8080/readyz"
SECONDS = 6.0
"""Longer than a check of readiness may take, so that the answer names the check."""
_MOST_BYTES = 1 << 16


def ask(url: str, seconds: float = SECONDS) -> tuple[int, str]:
    """The status and text of a GET within `seconds` a step. Raises OSError and ValueError where there is none.

    Certificates are not checked: whoever asks about this very machine knows no name that one could be for.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url} is no http:// or https:// URL")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=seconds, context=unchecked)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.status, response.read(_MOST_BYTES).decode("utf-8", "replace").strip()
    except http.client.HTTPException as error:
        raise OSError(f"the answer is no HTTP: {error!r}") from None
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """0 where the answer is 200, else 1; says what it was told."""
    try:
        status, text = ask(arguments[0] if arguments else READY)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return int(status != 200)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
