"""The document where it is served: below prefixes that clients see, and for generators of clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import openapi_spec_validator
import pytest
from fastapi import FastAPI
from starlette.routing import Mount

from diptych import Gateway, Settings
from diptych.openapi import for_clients
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.kitchen import Kitchen

from .described import Json, described

JSON = "application/json"
TRUSTED, STRANGER = {"trusted_proxies": "127.0.0.1"}, {"trusted_proxies": "10.0.0.1"}


def made() -> Gateway:
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    return gateway


# Prefixes.


@pytest.mark.parametrize(
    ("settings", "headers", "url"),
    [
        (TRUSTED, [], "/"),
        (TRUSTED, [("x-forwarded-prefix", "/shop")], "/shop"),
        (TRUSTED, [("x-forwarded-prefix", "/shop/")], "/shop"),
        (TRUSTED, [("x-forwarded-prefix", "/evil, /shop/v%31")], "/shop/v%31"),
        (TRUSTED, [("x-forwarded-prefix", "/evil"), ("x-forwarded-prefix", "/shop")], "/shop"),
        ({**TRUSTED, "proxy_header": "forwarded"}, [("x-forwarded-prefix", "/shop")], "/shop"),
        (TRUSTED, [("x-forwarded-prefix", "//evil.example")], "/"),
        (TRUSTED, [("x-forwarded-prefix", "https://evil.example")], "/"),
        (TRUSTED, [("x-forwarded-prefix", '/a"><script>')], "/"),
        (TRUSTED, [("x-forwarded-prefix", "/")], "/"),
        (STRANGER, [("x-forwarded-prefix", "/shop")], "/"),
        ({}, [("x-forwarded-prefix", "/shop")], "/"),
    ],
    ids=str,
)
async def test_the_prefix_of_a_trusted_proxy(serve: Serve, settings: Json, headers: Any, url: str) -> None:
    async with serve(**settings) as served:
        shown = (await served.http.get("/openapi.json", headers=headers)).json()
        assert shown["servers"] == [{"url": url}]
        docs = (await served.http.get("/docs", headers=headers)).text
        prefix = url.removesuffix("/")
        assert f'url: "{prefix}/openapi.json"' in docs
        assert f'src="{prefix}/docs/assets/swagger-ui-bundle.js"' in docs
        # The path that arrives has no prefix any more, even if it begins like one.
        version = [("x-forwarded-prefix", "/v1")]
        assert (await served.http.get("/v1/dishes/7", headers=version)).json()["id"] == "7"


async def test_the_prefix_of_a_mount() -> None:
    gateway = made()
    outer = FastAPI(routes=[Mount("/api", gateway.app)])
    for root, prefix in (("", "/api"), ("/shop", "/shop/api")):
        transport = httpx2.ASGITransport(app=outer, root_path=root)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            shown = (await http.get(f"{prefix}/openapi.json")).json()
            assert shown["servers"] == [{"url": prefix}]
            [path] = [path for path in shown["paths"] if path.endswith("/special")]
            assert (await http.get(shown["servers"][0]["url"] + path)).status_code == 200
    await gateway.stop(0)


async def test_servers_that_the_user_names_stay() -> None:
    gateway = made()
    gateway.app.servers = [{"url": "https://shop.example/api"}]
    outer = FastAPI(routes=[Mount("/api", gateway.app)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=outer), base_url="http://localhost") as http:
        assert (await http.get("/api/openapi.json")).json()["servers"] == [{"url": "https://shop.example/api"}]
    await gateway.stop(0)


# What generators read.


def operations(document: Json) -> Iterator[Json]:
    for item in document["paths"].values():
        for key, operation in item.items():
            yield from operation.values() if key.startswith("x-") else [operation]


def test_security_servers_and_tags_are_always_said() -> None:
    for document in (described(), described(security={"key": {"type": "http", "scheme": "bearer"}}), made().openapi()):
        assert document["servers"] == [{"url": "/"}]
        assert all("security" in operation for operation in operations(document))
        tags = {tag["name"]: tag["description"] for tag in document["tags"]}
        assert all(tags[name] for operation in operations(document) for name in operation["tags"])


def test_a_user_s_tags_and_texts() -> None:
    gateway = made()

    @gateway.app.get("/own/{kind}", tags=["own"], summary="Of any kind, such as a/*/b")
    def own(kind: str) -> str:
        """Ends */ a comment."""
        return kind

    document = gateway.openapi()
    shown = document["paths"]["/own/{kind}"]["get"]
    assert (shown["summary"], shown["description"]) == (r"Of any kind, such as a/*\/b", r"Ends *\/ a comment.")
    assert {"own", "Health"} <= {tag["name"] for tag in document["tags"]}


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            if name in ("description", "summary", "title") and isinstance(one, str):
                yield one
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def test_no_text_ends_a_comment() -> None:
    document = described()
    assert not [text for text in texts(document) if "*/" in text]
    parameters = document["paths"]["/v1/kitchens/{kitchen}/dishes/{dish}"]["get"]["parameters"]
    assert parameters[0]["description"].startswith(
        "A part of `name`, which has the form `kitchens/{kitchen}/dishes/{dish}`."
    )


def test_clients_get_one_media_type_for_each_body() -> None:
    whole = described()
    document = for_clients(whole)
    openapi_spec_validator.validate(document)
    assert not [key for item in document["paths"].values() for key in item if key.startswith("x-")]
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            for body in (operation.get("requestBody"), operation["responses"]["200"]):
                assert body is None or len(body["content"]) == 1, (path, verb)
    streamed = document["paths"]["/v1/ticks"]["get"]["responses"]["200"]["content"]
    assert streamed[JSON]["schema"]["type"] == "array"
    uploaded = document["paths"]["/v1/documents:process"]["post"]["requestBody"]["content"]
    assert list(uploaded) == [JSON]
    mirrored = document["paths"]["/v1/mirror"]["post"]
    assert list(mirrored["requestBody"]["content"]) == ["application/octet-stream"]
    assert list(mirrored["responses"]["200"]["content"]) == ["application/octet-stream"]
    assert len(whole["paths"]["/v1/ticks"]["get"]["responses"]["200"]["content"]) == 3, "the document is not changed"
