"""The settings of assets: limits, and where a URI may point.

Reads no environment; the gateway's settings do.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...kit.settings import MIB, InvalidSetting, check_positive
from .origins import origin_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSettings:
    """Which assets are read, and from where. Raises ValueError for invalid values."""

    roots: tuple[str, ...] = ()  # folders below which `file:` URIs may point; empty refuses all of them
    hosts: tuple[str, ...] = ()  # such as docs.example.com (https) or http://wiki.example.com:8080; empty refuses all
    private_hosts: tuple[str, ...] = ()  # of the same form, whose names may resolve to addresses of private networks
    fetch_seconds: float = 30.0  # for a whole `https:` asset
    max_asset_bytes: int = 64 * MIB  # of one asset, as the OCR and conversion services have it
    max_inline_bytes: int = 8 * MIB  # a larger asset is indexed by a batch job
    max_inline_pages: int = 100  # of a PDF document; one with more is indexed by a batch job

    def __post_init__(self) -> None:
        check_positive(self, "fetch_seconds", "max_asset_bytes", "max_inline_bytes", "max_inline_pages")
        for name in ("hosts", "private_hosts"):
            for host in getattr(self, name):
                if origin_of(host if "://" in host else f"https://{host}") is None or host.count("/") not in (0, 2):
                    text = f"{name} must be such as docs.example.com or http://wiki.example.com:8080, not {host!r}"
                    raise InvalidSetting(name, text)
        if any(not root.startswith("/") for root in self.roots):
            raise InvalidSetting("roots", "roots must be absolute paths of folders")
