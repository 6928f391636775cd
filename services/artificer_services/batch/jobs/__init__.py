"""The domain: jobs, their states and rules, the use cases, and the protocol of the store that keeps them.

Imports no other room but `tasks`, whose task types phases are checked against. Knows neither gRPC nor protos.
"""
