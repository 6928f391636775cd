"""The program of the worker processes that read documents, and the order of their answers."""
