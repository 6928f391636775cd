"""The document of the services the tests have, and look-ups in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from artificer.ocr.v1 import ocr_service_pb2_grpc
from diptych.methods import Method, MethodTable
from diptych.openapi import document
from diptych.rules import Binding, bindings
from diptych.settings import Settings
from kitchen.v1 import kitchen_service_pb2_grpc

Json = dict[str, Any]


class _Server:
    """Collects what grpcio's generated code registers."""

    def __init__(self) -> None:
        self.table = MethodTable()

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        self.table.add_service(service, handlers)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        return


def bound(*, unbound: bool = False) -> list[tuple[Method, Binding]]:
    """Every binding of the kitchen and of the OCR service."""
    server: Any = _Server()
    for module, service in ((kitchen_service_pb2_grpc, "Kitchen"), (ocr_service_pb2_grpc, "OCR")):
        servicer = getattr(module, f"{service}ServiceServicer")()  # answers UNIMPLEMENTED, and is never called
        getattr(module, f"add_{service}ServiceServicer_to_server")(servicer, server)
    return [(method, one) for method in server.table for one in bindings(method.descriptor, unbound=unbound)]


def described(*, unbound: bool = False, security: Mapping[str, Any] | None = None, **settings: Any) -> Json:
    """Their document under these settings."""
    return document(bound(unbound=unbound), settings=Settings(**settings), security=security)


def validator(made: Json, schema: Json) -> jsonschema_rs.Draft202012Validator:
    """Validates against a schema of the document, formats included."""
    whole = {**schema, "components": made["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def only(made: Json, path: str, verb: str, media: str | None = None) -> Json:
    """The document with one operation only, and of its body with one media type only."""
    operation: Json = {**made["paths"][path][verb]}
    if media is not None:
        body = operation["requestBody"]
        operation["requestBody"] = {**body, "content": {media: body["content"][media]}}
    return {**made, "paths": {path: {verb: operation}}}
