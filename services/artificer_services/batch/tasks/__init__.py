"""What phases can do: the protocol of task types, their registry, and those that come with the service."""
