"""The elements of a list, fetched page by page as they are iterated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from ..errors import UnknownError

T = TypeVar("T")


class Pager(Generic[T]):
    """Iterating yields every element of every page; each iteration begins with the first page."""

    def __init__(self, fetch: Callable[[str], Any], listed: str) -> None:
        self._fetch, self._listed = fetch, listed

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            for one in page:
                yield one

    def pages(self, token: str = "") -> Iterator[list[T]]:
        """Yields the elements of each page, from the page of a token on.

        Raises UnknownError if the server names the same page twice in a row.
        """
        while True:
            response = self._fetch(token)
            yield getattr(response, self._listed)
            before, token = token, getattr(response, "next_page_token", "")
            if not token:
                return
            if token == before:  # it would go on without end
                raise UnknownError("the server named the same page as the next one")

    def page(self, token: str = "") -> tuple[list[T], str]:
        """Returns the elements of one page and the token of the next, which is empty after the last."""
        response = self._fetch(token)
        return getattr(response, self._listed), getattr(response, "next_page_token", "")

    def to_list(self, most: int | None = None) -> list[T]:
        """Returns the elements, at most as many as given."""
        found: list[T] = []
        for one in self:
            if most is not None and len(found) >= most:
                break
            found.append(one)
        return found
