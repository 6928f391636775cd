"""What `diptych lint` finds besides rules: misspelled methods, an empty gateway, methods without a route."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from diptych import Gateway, Settings
from diptych.cli.lint import lint
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen

SERVICE = "/kitchen.v1.KitchenService"


def findings(servicer: Any) -> list[str]:
    gateway = Gateway(Settings())
    pb_grpc.add_KitchenServiceServicer_to_server(servicer, gateway)
    return [str(finding) for finding in lint(gateway)]


class Misspelt(pb_grpc.KitchenServiceServicer):
    """Each method looks like an RPC and is none."""

    async def GetDihs(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        return pb.Dish()

    async def get_file(self, request: Any, context: Any) -> Any: ...

    async def Upload_Blob(self, request: Any, context: Any) -> Any: ...

    async def Tikc(self, request: Any, context: Any) -> Any: ...

    def cook(self) -> None: ...

    async def Echo(self, request: Any, context: Any) -> Any: ...

    async def Echoo(self, request: Any, context: Any) -> Any: ...


def misspelt() -> Any:
    made: Any = Misspelt  # abstract in the stubs only
    return made()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("GetDihs", "GetDish"), ("get_file", "GetFile"), ("Upload_Blob", "UploadBlob"), ("Tikc", "Tick")],
)
def test_a_misspelled_method_is_an_error(written: str, meant: str) -> None:
    text = f"is not implemented; Misspelt has a method '{written}': did you mean '{meant}'?"
    assert f"error: {SERVICE}/{meant}: {text}" in findings(misspelt())


def test_methods_that_are_implemented_or_resemble_no_rpc_are_none() -> None:
    told = [line for line in findings(misspelt()) if "did you mean" in line]
    assert len(told) == 4, "neither cook nor Echoo, since Echo is implemented"
    assert not [line for line in findings(Kitchen()) if "did you mean" in line]


def logged(method: Any) -> Any:
    @functools.wraps(method)
    async def wrapped(*arguments: Any) -> Any:
        return await method(*arguments)

    return wrapped


class Decorated(Kitchen):
    """A decorator of the user's does not hide the method."""

    @logged
    async def GetDish(self, request: Any, context: Any) -> Any:
        return await super().GetDish(request, context)


def test_a_decorated_method_is_implemented() -> None:
    assert not [line for line in findings(Decorated()) if "did you mean" in line]


def test_a_gateway_without_services_is_an_error() -> None:
    text = "no service is registered; pass the gateway to add_…Servicer_to_server"
    assert [str(one) for one in lint(Gateway(Settings()))] == [f"error: gateway: {text}"]


def test_methods_without_a_rule_are_named_with_the_protocols_that_serve_them() -> None:
    why = "has no google.api.http annotation: it is served over gRPC, gRPC-Web and Connect, but not over REST"
    assert f"warning: {SERVICE}/Unbound: {why}" in findings(Kitchen())
