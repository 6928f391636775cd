"""The gateway that crash tests kill: batch jobs only, so that it restarts quickly."""

from __future__ import annotations

from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services.batch.build import BatchService, BatchSettings
from artificer_services.kit.settings import service_settings
from diptych import Gateway, Settings


def create(settings: Settings) -> Gateway:
    """Returns the gateway, composed as in the composition root."""
    batch = BatchService(service_settings(settings, "batch", BatchSettings))
    gateway = Gateway(settings, lifespan=batch.lifespan, readiness={"batch": batch.ready})
    rpc.add_BatchServiceServicer_to_server(batch.servicer, gateway)
    return gateway
