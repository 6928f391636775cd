"""The store of jobs in SQLite or PostgreSQL: tables, migrations, statements, transactions.

Implements `jobs.store.Store`, a part of it in each module. Imports no other room but `jobs`.
"""
