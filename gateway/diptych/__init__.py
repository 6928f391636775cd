"""One .proto, two protocols, one process: gRPC and REST/JSON from the same servicers."""
