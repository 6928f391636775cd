"""The faces of a gateway: the protocols that clients call its methods by. Each is an ASGI app made at start-up."""
