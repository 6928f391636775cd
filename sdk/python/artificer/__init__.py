"""The contracts of Artificer's services: generated messages and gRPC stubs, a package for each version."""
