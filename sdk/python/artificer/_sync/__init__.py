"""The client. codegen/sdk/unasync.py makes `artificer._sync` of it, except `platform` and `grpc`."""
