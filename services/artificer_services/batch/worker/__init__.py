"""What runs items: the worker's program and loop, and the engines that start or call workers.

Knows neither gRPC nor protos.
"""
