"""The table of registered methods: handler and descriptor, by full name.

It accepts what grpcio's generated `add_XServicer_to_server` passes to a server, and knows no face.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

# A string: the class is generic in the stubs only, not at run time.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A registered method. `path` is `/{package.Service}/{Method}`, as gRPC names it."""

    path: str
    handler: Handler
    descriptor: MethodDescriptor
    request: type[Message]
    response: type[Message]

    @property
    def client_streaming(self) -> bool:
        """Returns whether the client sends a stream."""
        return bool(self.descriptor.client_streaming)

    @property
    def server_streaming(self) -> bool:
        """Returns whether the server sends a stream."""
        return bool(self.descriptor.server_streaming)


class RegistrationError(ValueError):
    """A service that cannot be registered."""


@dataclass(frozen=True, slots=True)
class _CallDetails(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: tuple[()] = ()


class MethodTable:
    """Registered methods by path, in registration order."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}
        self._services: dict[str, ServiceDescriptor] = {}
        self.generic: list[grpc.GenericRpcHandler] = []
        """Handlers without a service name: they have no descriptor, so only the RPC protocols serve them."""

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())

    def __len__(self) -> int:
        return len(self._methods)

    def get(self, path: str) -> Method | None:
        """Returns the method with that path, or None."""
        return self._methods.get(path)

    @property
    def services(self) -> Mapping[str, ServiceDescriptor]:
        """Returns the registered services by full name."""
        return self._services

    @property
    def files(self) -> Collection[FileDescriptor]:
        """Returns the proto files of the registered services."""
        return {service.file.name: service.file for service in self._services.values()}.values()

    def add_service(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Registers a service's handlers by method name; registering the same handlers again has no effect.

        Raises `RegistrationError` if the descriptor is missing or the service has another servicer already.
        """
        descriptor = _service(service)
        known = {method.name for method in descriptor.methods}
        for name in sorted(handlers.keys() - known):
            raise RegistrationError(f"service {service} has no method {name!r} in {descriptor.file.name}")
        found: dict[str, Method] = {}
        for method in descriptor.methods:
            handler = handlers.get(method.name)
            if handler is None:
                continue
            path = f"/{service}/{method.name}"
            before = self._methods.get(path)
            if before is not None and before.handler is not handler:
                raise RegistrationError(f"service {service} is already registered with another servicer")
            found[path] = Method(
                path=path,
                handler=handler,
                descriptor=method,
                request=message_factory.GetMessageClass(method.input_type),
                response=message_factory.GetMessageClass(method.output_type),
            )
        self._methods.update(found)
        self._services[service] = descriptor

    def add_generic(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Registers generic handlers; one that names its service is registered as that service's methods."""
        for generic in handlers:
            if not isinstance(generic, grpc.ServiceRpcHandler):
                self.generic.append(generic)
                continue
            service = generic.service_name()
            found = {
                method.name: handler
                for method in _service(service).methods
                if (handler := generic.service(_CallDetails(f"/{service}/{method.name}"))) is not None
            }
            self.add_service(service, found)


def _service(name: str) -> ServiceDescriptor:
    find = descriptor_pool.Default().FindServiceByName
    with suppress(KeyError):
        return find(name)
    for module in _unimported(name):
        with suppress(ImportError, KeyError):
            importlib.import_module(module)
            return find(name)
    raise RegistrationError(
        f"service {name} is not in the default descriptor pool: import its generated _pb2 module first"
    )


def _unimported(service: str) -> list[str]:
    """Returns the modules that may have a service's descriptor.

    A generated `_pb2_grpc` module imports the modules of the messages that its service uses, and not its own file's
    `_pb2` module if none of them is declared there.
    """
    register = f"add_{service.rpartition('.')[2]}Servicer_to_server"
    return [
        name.removesuffix("_grpc")
        for name, module in sorted(sys.modules.items())
        if name.endswith("_pb2_grpc") and hasattr(module, register)
    ]
