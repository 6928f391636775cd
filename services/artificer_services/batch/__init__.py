"""Long jobs over many items: artificer.batch.v1.BatchService.

Four rooms: `jobs` is the domain, `api` is what clients see of it, `worker` runs the items and `store` keeps everything.
`tasks` has the task types. `build` puts them together and is the only module that a composition root needs;
`celery_app` is what Celery's workers load.
"""
