"""PostgreSQL, Valkey, a gateway and Celery workers as processes of one machine: `python -m artificer_services.cluster`.

Knows the services by their commands and settings only.
"""
