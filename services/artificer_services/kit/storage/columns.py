"""The column type and naming that the tables of all services share. Knows no table."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

# SQLite's strict tables have only INTEGER, which holds 64 bits.
BIG = BigInteger().with_variant(Integer, "sqlite")


def table_metadata() -> MetaData:
    """Returns the metadata for a service's tables; key names are the same in both databases."""
    return MetaData(naming_convention={"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s"})
