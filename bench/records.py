"""The data of all answers: plain records, as a store returns them. Each server converts them to its own messages.

It knows no framework.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

LIST_SIZE = 100
UPLOAD_BYTES = 16 * 1024 * 1024
# JSON carries bytes as base64, four characters for three bytes; the rest is the object around it.
BODY_LIMIT = UPLOAD_BYTES * 4 // 3 + 64 * 1024
STREAM_PAUSE_SECONDS = 0.01
"""The pause after a stream's first message: a server that holds the first message back shows it in the table."""


class Record(NamedTuple):
    """One dish of the store."""

    id: str
    title: str
    price_cents: int
    course: int
    tags: tuple[str, ...]
    created: datetime
    rating: float


_CREATED = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
STORE = [
    Record(
        f"dish-{number}", f"Soup of the day {number}", 950 + number, number % 3 + 1, ("warm", "vegan"), _CREATED, 4.5
    )
    for number in range(LIST_SIZE)
]
BY_ID = {record.id: record for record in STORE}

# A message three levels deep, with a list, a map and a timestamp.
NESTED: dict[str, Any] = {
    "title": "Lasagne",
    "priceCents": "1450",
    "course": "COURSE_MAIN",
    "tags": ["oven", "sunday"],
    "ingredients": [
        {"name": "pasta", "grams": 250, "byHand": 250},
        {"name": "sauce", "grams": 400, "parts": [{"name": "tomato", "grams": 300}, {"name": "onion", "grams": 100}]},
    ],
    "labels": {"season": "winter", "allergen": "gluten"},
    "createTime": "2026-03-14T09:26:53Z",
    "cookTime": "2700s",
    "rating": 4.5,
}
