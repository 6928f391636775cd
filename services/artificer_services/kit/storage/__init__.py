"""What services share about databases: connecting to SQLite or PostgreSQL, and bringing tables up to date.

Knows no service, no table and no statement. `database` is imported by itself: worker processes do without it.
"""

from .connect import postgresql, sqlite
from .migrate import Migrations, alembic_config, migrate, prepare

__all__ = ["Migrations", "alembic_config", "migrate", "postgresql", "prepare", "sqlite"]
