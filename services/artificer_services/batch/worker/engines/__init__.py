"""The engines: how workers learn of work, as local processes of the gateway or through Celery."""
