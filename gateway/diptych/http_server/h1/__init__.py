"""HTTP/1.1 and its WebSockets: uvicorn's protocols, with guards against slow and malformed clients."""
