"""Task types: their protocol, their registry, and those that come with the service."""
