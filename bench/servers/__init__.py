"""The measured servers. Each is `python -m bench.servers.<name>`, binds free ports and prints them as JSON."""
