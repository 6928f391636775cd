"""gRPC as values: the options of a channel, messages, metadata and the exceptions of failed calls. Sends nothing."""
