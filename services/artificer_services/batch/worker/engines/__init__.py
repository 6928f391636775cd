"""The engines: how workers learn of work, as processes beside the gateway or through Celery."""
