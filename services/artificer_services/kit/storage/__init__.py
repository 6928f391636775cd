"""What services share about databases: connecting to SQLite or PostgreSQL, and bringing tables up to date.

Knows no service, no table and no statement.
"""

from .connect import postgresql, sqlite
from .migrate import Migrations, migrate, prepare

__all__ = ["Migrations", "migrate", "postgresql", "prepare", "sqlite"]
