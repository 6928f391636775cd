"""HTTP/1.1 over llhttp, and uvicorn's WebSocket protocol, with guards against slow and malformed clients."""
