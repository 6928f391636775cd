"""An issuer of tokens for tests: its keys, its tokens, and a real server for its key set."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER, AUDIENCE = "https://issuer.test", "kitchen"


@cache
def key_of(kid: str, algorithm: str = "RS256") -> Any:
    """Returns a private key by its id; cached, since making RSA keys is slow."""
    if algorithm.startswith("ES"):
        curves: dict[str, Any] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
        return ec.generate_private_key(curves[algorithm]())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(kid: str, algorithm: str = "RS256", **more: Any) -> dict[str, Any]:
    """Returns the key as an entry of a JWKS."""
    maker = jwt.get_algorithm_by_name(algorithm)
    shown: dict[str, Any] = maker.to_jwk(key_of(kid, algorithm).public_key(), as_dict=True)
    return {"kid": kid, "use": "sig", **{name: value for name, value in shown.items() if name != "key_ops"}, **more}


def document(*keys: dict[str, Any]) -> bytes:
    """Returns a JWKS."""
    return json.dumps({"keys": list(keys)}).encode()


def token(kid: str | None = "one", algorithm: str = "RS256", *, key: Any = None, **claims: Any) -> str:
    """Returns a valid token with the given claims changed; a claim of None is left out."""
    now = time.time()
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": int(now), "exp": int(now) + 600, **claims}
    present = {name: value for name, value in whole.items() if value is not None}
    signer = key if key is not None else key_of(kid or "one", algorithm)
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(present, signer, algorithm=algorithm, headers=headers)


class KeyServer:
    """Serves `document` over HTTP with `status`; `asked` counts the requests."""

    def __init__(self, document: bytes) -> None:
        self.document, self.status, self.asked = document, 200, 0
        self.reached = threading.Event()
        """Set when a request arrives."""
        self.hold: threading.Event | None = None
        """While it is set and not signalled, requests are not answered."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked += 1
                owner.reached.set()
                if owner.hold is not None:
                    owner.hold.wait(60)
                self.send_response(owner.status)
                self.send_header("content-length", str(len(owner.document)))
                self.end_headers()
                self.wfile.write(owner.document)

            def log_message(self, *_: Any) -> None:
                """Logs nothing, since tests check the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    def close(self) -> None:
        """Stops, and frees the port."""
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def key_server(*keys: dict[str, Any]) -> Iterator[KeyServer]:
    """Runs a server of a key set."""
    server = KeyServer(document(*keys))
    try:
        yield server
    finally:
        server.close()
