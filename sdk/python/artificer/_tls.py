"""The files of TLS, for both transports: reads them once, to say which of them cannot be used."""

from __future__ import annotations

import os
import ssl

File = str | os.PathLike[str] | None


def check_files(ca: File, cert: File, key: File) -> None:
    """Raises OSError, with its name, for a file that cannot be read, and ValueError for one that is not usable."""
    for path in (ca, cert, key):
        if path:
            with open(path, "rb"):  # the errors of `ssl` have no names
                pass
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if ca:
            context.load_verify_locations(ca)
    except ssl.SSLError:
        raise ValueError(f"ca: '{ca}' contains no PEM certificate") from None
    try:
        if cert:
            context.load_cert_chain(cert, key, password=lambda: "")
    except ssl.SSLError:
        why = f"cert: '{cert}' and key '{key or cert}' are not a PEM pair, or the key has a password"
        raise ValueError(why) from None
