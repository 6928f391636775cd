"""What clients see of batch jobs: the gRPC servicer, its streams, the page at /jobs and the metrics.

Translates between protos and the values of `jobs`. Imports no store and no worker.
"""
