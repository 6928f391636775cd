"""Finds the vectors of a collection that are closest to one: in memory, or in PostgreSQL with pgvector."""
