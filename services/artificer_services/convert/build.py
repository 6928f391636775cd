"""Makes the conversion service from its settings: its servicer, lifecycle and readiness.

The only module that a composition root imports.
"""

from __future__ import annotations

import logging

import grpc

from artificer.convert.v1 import conversion_service_pb2_grpc

from ..kit.lifecycle import Service
from ..kit.settings import InvalidSetting
from .engine import Converter
from .servicer import ConversionServicer
from .settings import ConvertSettings

_log = logging.getLogger("artificer")


class ConvertService(Service):
    """The servicer and everything behind it."""

    name = "convert"
    grpc_name = "artificer.convert.v1.ConversionService"

    def __init__(self, settings: ConvertSettings | None = None) -> None:
        """Raises ValueError if the settings name a program that is not there."""
        self.settings = settings = settings or ConvertSettings()
        self.converter = Converter(settings)
        if settings.pandoc and not self.converter.installed:
            raise InvalidSetting("pandoc", f"services.convert.pandoc: {settings.pandoc!r} is no program")
        self.servicer = ConversionServicer(self.converter)

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server."""
        conversion_service_pb2_grpc.add_ConversionServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Find out the version of Pandoc, whose absence only fails the calls. Raises OSError if it cannot be run."""
        if not self.converter.installed:
            _log.warning("documents cannot be converted: Pandoc is not installed; artificer-services[convert] has it")
        await self.converter.start()

    async def stop(self) -> None:
        """Nothing is kept between calls."""

    async def ready(self) -> bool:
        """Whether documents can be converted. A server without Pandoc is ready for everything else."""
        return True


def build(settings: ConvertSettings | None = None) -> ConvertService:
    """Returns the conversion service. Raises ValueError for invalid settings."""
    return ConvertService(settings)


__all__ = ["ConvertService", "ConvertSettings", "build"]
