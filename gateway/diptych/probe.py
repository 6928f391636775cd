"""`python -m diptych.probe [URL]`: checks a gateway's readiness, for container health checks.

It imports only the standard library: with the gateway's imports, each probe would cost a second of CPU.
"""

from __future__ import annotations

import http.client
import ssl
import sys
from urllib.parse import urlsplit

READY = "http://127.0.0.1:8080/readyz"
SECONDS = 6.0
"""Longer than a readiness check may take, so that the response can name the failed check."""
_MOST_BYTES = 1 << 16


def ask(url: str, seconds: float = SECONDS) -> tuple[int, str]:
    """Returns the status and text of a GET; each socket operation may take `seconds`. Raises OSError or ValueError.

    Certificates are not verified: a probe connects to an address, and no certificate is issued for that.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"unsupported URL {url!r}; expected http:// or https://")
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
        raise OSError(f"the response is not HTTP: {error!r}") from None
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """Prints the response; returns 0 if its status is 200, else 1."""
    url = arguments[0] if arguments else READY
    try:
        status, text = ask(url)
    except OSError as error:
        sys.stderr.write(f"cannot reach {url}: {error.strerror or error}\n")
        return 1
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return int(status != 200)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
