"""Reads a stream by libcurl over HTTP/2 while it still sends its own: python sending.py URL AUTHORITY ROUNDS LAST

Prints in how many rounds the answer ended with LAST, as JSON.
"""

import io
import json
import sys

import pycurl  # type: ignore[import-untyped]  # no stubs

_MOST = 100_000  # messages, so that a server that reads on does not keep this program for ever


def last_was_read(url: str, authority: str, last: str) -> bool:
    """Sends messages until the answer has ended."""
    answer, sent = io.BytesIO(), iter(range(_MOST))
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.CAINFO, authority)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_0)
    curl.setopt(pycurl.UPLOAD, 1)
    curl.setopt(pycurl.CUSTOMREQUEST, "POST")
    curl.setopt(pycurl.HTTPHEADER, ["content-type: application/x-ndjson", "accept: application/x-ndjson"])
    curl.setopt(pycurl.READFUNCTION, lambda _: b'{"number":%d}\n' % n if (n := next(sent, None)) is not None else b"")
    curl.setopt(pycurl.WRITEFUNCTION, answer.write)
    curl.perform()
    return answer.getvalue().decode().endswith(last + "\n")


if __name__ == "__main__":
    where, file, rounds, expected = sys.argv[1:]
    sys.stdout.write(json.dumps(sum(last_was_read(where, file, expected) for _ in range(int(rounds)))))
