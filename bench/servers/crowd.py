"""The kitchen for `diptych serve bench.servers.crowd:create --workers N`."""

from __future__ import annotations

from bench.records import BODY_LIMIT
from bench.servicer import kitchen
from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc


def create(settings: Settings) -> Gateway:
    """Returns a gateway with the servicer of the other benchmarks."""
    gateway = Gateway(settings.model_copy(update={"max_body_bytes": BODY_LIMIT}))
    pb_grpc.add_KitchenServiceServicer_to_server(kitchen(), gateway)
    return gateway
