"""The pages of lists that are sorted by id. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...kit import paging
from .requests import check, may_be_id

PAGE = 50  # entries, if a request names no number


def page_of(size: int, token: str, *scope: str) -> tuple[int, str]:
    """Returns the number of entries of a page, and the id before its first one. Raises Invalid."""
    check(*paging.size_faults(size))
    return paging.page_size(size, PAGE), _after(paging.place_of(token, *scope)) if token else ""


def _after(place: str) -> str:
    # The checksum of a token is no signature: a client may have made it up.
    try:
        id_ = bytes.fromhex(place).decode()
    except ValueError:
        raise paging.invalid_token() from None
    if not may_be_id(id_):
        raise paging.invalid_token()
    return id_


def next_token(ids: Sequence[str], size: int, *scope: str) -> str:
    """Returns the token of the page behind the first `size` ids; empty if there are no more."""
    # In hexadecimal, since a place has only letters and digits, and ids have more.
    return paging.token_of(ids[size - 1].encode().hex(), *scope) if len(ids) > size else ""
