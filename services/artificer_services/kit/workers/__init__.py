"""The worker processes that parse clients' files, and the queue in front of them."""
