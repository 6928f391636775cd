"""Opens the connections of a channel, each a channel of gRPC's own."""

from __future__ import annotations

import os

import grpc
import grpc.aio

from .._target import parse_target
from .options import DEFAULT_TARGET, ChannelOptions


class Connect:
    """The target, the options and the TLS of a channel, completed by the environment and checked.

    Raises ValueError and OSError, as a channel does.
    """

    def __init__(self, target: str | None, options: ChannelOptions | None) -> None:
        self.target = parse_target(target or os.environ.get("ARTIFICER_TARGET") or DEFAULT_TARGET)
        self.options: ChannelOptions = (options or ChannelOptions()).completed()
        self._tls = self.options.credentials.for_target(self.target)

    def channel(self, index: int) -> grpc.Channel:
        """Returns the connection with this number."""
        arguments = self.options.arguments(self.target, index)
        if self._tls is None:
            return grpc.insecure_channel(self.target.name, arguments)
        return grpc.secure_channel(self.target.name, self._tls, arguments)

    def aio_channel(self, index: int) -> grpc.aio.Channel:
        """Returns the connection with this number, for the running event loop."""
        arguments, interceptors = self.options.arguments(self.target, index), self.options.interceptors or None
        if self._tls is None:
            return grpc.aio.insecure_channel(self.target.name, arguments, interceptors=interceptors)
        return grpc.aio.secure_channel(self.target.name, self._tls, arguments, interceptors=interceptors)
