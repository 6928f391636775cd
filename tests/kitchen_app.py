"""The kitchen sink as an application for `diptych serve tests.kitchen_app:create`."""

from __future__ import annotations

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc
from tests.kitchen import Kitchen


def create(settings: Settings) -> Gateway:
    """A gateway with the kitchen sink behind it."""
    gateway = Gateway(settings)
    kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    return gateway
