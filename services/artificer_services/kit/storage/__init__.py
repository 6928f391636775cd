"""Database access for services: connects to SQLite or PostgreSQL and migrates tables.

Knows no service, no table and no statement. Import `database` separately; worker processes do not need it.
"""

from .connect import postgresql, sqlite
from .migrate import Migrations, alembic_config, migrate, prepare

__all__ = ["Migrations", "alembic_config", "migrate", "postgresql", "prepare", "sqlite"]
