"""The table of registered methods: what grpcio's generated code registers, once or twice."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from diptych.methods import Handler, MethodTable, RegistrationError
from kitchen.v1 import kitchen_service_pb2 as kitchen
from kitchen.v1 import kitchen_service_pb2_grpc as kitchen_grpc

SERVICE = "kitchen.v1.KitchenService"


class Server:
    """Receives `add_XServicer_to_server`'s two calls; each can be left out, as older and newer code does."""

    def __init__(self, table: MethodTable, *, registered: bool = True, generic: bool = True) -> None:
        self._table, self._registered, self._generic = table, registered, generic

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        if self._registered:
            self._table.add_service(service, handlers)

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        if self._generic:
            self._table.add_generic(handlers)


def add(table: MethodTable, **calls: bool) -> None:
    server: Any = Server(table, **calls)
    registers: Callable[..., None] = kitchen_grpc.add_KitchenServiceServicer_to_server
    servicer: Any = kitchen_grpc.KitchenServiceServicer  # abstract in the stubs, which does not matter to the table
    registers(servicer(), server)


@pytest.mark.parametrize(
    "calls", [{}, {"registered": False}, {"generic": False}], ids=["both", "generic", "registered"]
)
def test_either_call_suffices_and_both_are_one_registration(calls: dict[str, bool]) -> None:
    table = MethodTable()
    add(table, **calls)
    descriptor = kitchen.DESCRIPTOR.services_by_name["KitchenService"]
    assert [method.path for method in table] == [f"/{SERVICE}/{method.name}" for method in descriptor.methods]
    assert len(table) == len(descriptor.methods)
    assert dict(table.services) == {SERVICE: descriptor}
    assert table.generic == []


@pytest.mark.parametrize(
    ("name", "client", "server"),
    [("GetDish", False, False), ("Tick", False, True), ("Sum", True, False), ("Converse", True, True)],
)
def test_a_method_knows_its_messages_and_streams(name: str, client: bool, server: bool) -> None:
    table = MethodTable()
    add(table)
    method = table.get(f"/{SERVICE}/{name}")
    assert method is not None
    assert (method.client_streaming, method.server_streaming) == (client, server)
    assert method.descriptor.full_name == f"{SERVICE}.{name}"
    if name == "GetDish":
        assert (method.request, method.response) == (kitchen.GetDishRequest, kitchen.Dish)


def test_an_empty_table_finds_no_method() -> None:
    table = MethodTable()
    assert table.get(f"/{SERVICE}/GetDish") is None
    assert len(table) == 0


def handler() -> Handler:
    return grpc.unary_unary_rpc_method_handler(lambda request, context: kitchen.Dish())


def test_registering_the_same_handlers_again_changes_nothing() -> None:
    table, handlers = MethodTable(), {"GetDish": handler()}
    table.add_service(SERVICE, handlers)
    table.add_service(SERVICE, handlers)
    assert len(table) == 1


def test_another_servicer_of_the_same_service_is_refused_and_changes_nothing() -> None:
    table, first = MethodTable(), handler()
    table.add_service(SERVICE, {"GetDish": first})
    with pytest.raises(RegistrationError, match=f"service {SERVICE} is already registered"):
        table.add_service(SERVICE, {"DeleteDish": handler(), "GetDish": handler()})
    assert [method.handler for method in table] == [first]


def test_a_method_that_is_not_in_the_proto_is_refused() -> None:
    with pytest.raises(RegistrationError, match=r"has no method 'Boil' in kitchen/v1/kitchen_service\.proto"):
        MethodTable().add_service(SERVICE, {"Boil": handler(), "GetDish": handler()})


def test_a_service_without_a_descriptor_is_refused() -> None:
    with pytest.raises(RegistrationError, match=r"no.such.Service is not in the default descriptor pool: import"):
        MethodTable().add_service("no.such.Service", {})
    with pytest.raises(RegistrationError, match=r"no.such.Service"):
        MethodTable().add_generic([grpc.method_handlers_generic_handler("no.such.Service", {})])


@pytest.mark.parametrize("generic", [False, True])
def test_a_service_whose_file_has_no_messages_needs_no_import(
    generic: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its generated `_pb2_grpc` module imports the messages' module only, and nothing registers the service's file."""
    name = f"lonely{generic}".lower()
    (tmp_path / f"{name}.proto").write_text(
        f'syntax = "proto3";\npackage {name}.v1;\nimport "google/protobuf/empty.proto";\n'
        "service Lonely { rpc Ask(google.protobuf.Empty) returns (google.protobuf.Empty); }\n"
    )
    outputs = (f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}")
    protoc = (sys.executable, "-m", "grpc_tools.protoc", f"-I{tmp_path}")
    subprocess.run([*protoc, *outputs, f"{name}.proto"], check=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    stubs = importlib.import_module(f"{name}_pb2_grpc")
    assert f"{name}_pb2" not in sys.modules

    class Duck:
        """Not even a subclass of the generated class."""

        def Ask(self, request: Any, context: Any) -> Any: ...

    table = MethodTable()
    server: Any = Server(table, registered=not generic, generic=generic)
    stubs.add_LonelyServicer_to_server(Duck(), server)
    assert [method.path for method in table] == [f"/{name}.v1.Lonely/Ask"]


def test_a_handler_without_a_service_name_is_grpc_only() -> None:
    class Anything(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            return None

    table, anything = MethodTable(), Anything()
    table.add_generic([anything])
    assert table.generic == [anything]
    assert len(table) == 0
