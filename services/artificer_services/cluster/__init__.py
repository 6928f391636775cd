"""Runs PostgreSQL, Valkey, a gateway and Celery workers on one machine: `python -m artificer_services.cluster`.

Knows the services only by their commands and settings.
"""
