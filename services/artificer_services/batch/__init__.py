"""Long jobs over many items: artificer.batch.v1.BatchService.

`build` is the only room that a composition root needs.
"""
