"""What the tables of every service have in common. Knows no table."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

# SQLite's strict tables know INTEGER only, which is 64 bits there.
BIG = BigInteger().with_variant(Integer, "sqlite")


def table_metadata() -> MetaData:
    """Return the metadata for a service's tables; their keys are named alike in both databases."""
    return MetaData(naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s"})
