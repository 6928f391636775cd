"""The servers that are measured, each `python -m bench.servers.<name>`: it binds free ports and prints them as JSON."""
