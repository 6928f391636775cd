"""Where a method stands in the SDK by its REST binding (AIP-121, AIP-136): `client.collections.documents.create`.

The literal segments of the path are the resource, and what follows the colon is the method. A standard method is named
by its verb. A few collections are renamed, as the table says.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..safe_methods import OTHERS, READS
from .contracts import Field, Rpc

_PLACES = {
    "jobs": ("batch",),
    "taskTypes": ("batch", "task_types"),
    "blobs": ("batch", "blobs"),
    "conversionFormats": ("documents", "conversion_formats"),
}
"""Collections that the SDK has elsewhere than their first segment says."""
ABOUT = {
    "assets": "files that become documents of a collection",
    "batch": "jobs that run many items through phases",
    "channels": "messages between people and programs",
    "chat": "answers of language models",
    "collections": "documents that can be searched, and answers from them",
    "conversations": "conversations with models, which the server keeps",
    "documents": "the text of PDF documents, and conversion between formats",
    "embeddings": "vectors of texts",
    "images": "changed images, and their text",
    "models": "the models that the server has",
    "projects": "groups of conversations",
}
"""What each top resource is; another one has the first sentence of its service's comment."""
BY_HAND = {"orchestration": "pipelines of typed steps, run as batch jobs."}
"""Top resources without a method of the contracts: `_async/resources` has all of them."""
_MEND = "give it another custom verb, or another place in _PLACES of codegen/sdk/naming.py"
_STANDARD = {"PATCH": "update", "DELETE": "delete", "PUT": "replace"}
_RESUMED = {
    "artificer.batch.v1.BatchService/StreamProgress": ("", ""),
    "artificer.batch.v1.BatchService/StreamResults": ("", "item_index"),
}
"""Streams without `after` that may be opened again; messages are known by the field, if there is one."""
_IDEMPOTENT = {"artificer.batch.v1.BatchService/UploadBlob"}
"""Methods that change something, but nothing more when they are repeated: identical bytes are one blob."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A method with its place: the path of its resource, and its name there."""

    rpc: Rpc
    resource: tuple[str, ...]
    name: str

    @property
    def constant(self) -> str:
        """Its name in the table of methods."""
        return snake(self.rpc.proto.name).upper()

    @property
    def path_fields(self) -> list[str]:
        """The variables of the template, in their order; `project.id` is a field of a field."""
        return [found.split("=")[0] for found in re.findall(r"\{([^}]+)\}", self.rpc.binding[1])]

    @property
    def safe(self) -> bool:
        """Whether the call may be repeated, since it changes nothing (more)."""
        name = self.rpc.proto.name
        return self.rpc.name in _IDEMPOTENT or self.rpc.binding[0] == "GET" or name.startswith(READS) or name in OTHERS

    @property
    def idempotency(self) -> str:
        """The field with which a repeated request is told from a new one; empty if there is none."""
        return "request_id" if any(one.name == "request_id" for one in self.rpc.request.fields) else ""

    @property
    def content(self) -> str:
        """The field that a body which is not JSON fills byte for byte (docs/rest.md); empty if there is none."""
        raw = [one for one in self.rpc.request.fields if one.type_name == "google.api.HttpBody" or one.is_bytes]
        in_body = self.rpc.binding[2] in {"*", *(one.name for one in raw)}
        return raw[0].name if len(raw) == 1 and in_body else ""

    @property
    def resume(self) -> tuple[str, str] | None:
        """How a broken stream continues: the request's field for the last value of the response's field; or None."""
        if not self.rpc.proto.server_streaming or self.rpc.binding[0] != "GET":
            return None
        if any(one.name == "after" for one in self.rpc.request.fields):
            return "after", "id"
        return _RESUMED.get(self.rpc.name)

    @property
    def paged(self) -> Field | None:
        """The repeated field of a list's response; None if the method lists nothing or several things."""
        if self.name != "list":
            return None
        listed = [one for one in self.rpc.response.fields if one.repeated]
        return listed[0] if len(listed) == 1 else None


def placed(rpc: Rpc) -> Placed:
    """Returns a method's place. Raises ValueError if it has none, or if a name is a keyword of Python."""
    found = _placed(rpc)
    for name in (*found.resource, found.name, *(field.name for field in rpc.request.fields)):
        if keyword.iskeyword(name):
            raise ValueError(f"{rpc.name}: {name!r} is a keyword of Python; rename it in the contract")
    return found


def _placed(rpc: Rpc) -> Placed:
    verb, template, _ = rpc.binding
    head, _, custom = template.rpartition(":") if ":" in template.rpartition("}")[2] else (template, "", "")
    segments = [one for one in re.sub(r"\{[^}]+\}", "{}", head).split("/")[2:] if one]
    literals = [one for one in segments if one != "{}"]
    if not literals:
        raise ValueError(f"{rpc.name}: the template {template} names no collection")
    resource = (*_PLACES.get(literals[0], (snake(literals[0]),)), *map(snake, literals[1:]))
    if custom:
        return Placed(rpc, resource, snake(custom))
    if verb == "GET" and segments[-1] != "{}":
        return Placed(rpc, resource, "list")
    if verb == "POST":
        return Placed(rpc, resource, snake(rpc.proto.name).split("_")[0])
    return Placed(rpc, resource, _STANDARD.get(verb, "get"))


def tree(every: list[Placed]) -> dict[tuple[str, ...], list[Placed]]:
    """Returns the methods of each resource, with the resources above it. Raises ValueError for names that collide."""
    found: dict[tuple[str, ...], list[Placed]] = {}
    for one in every:
        for above in _above(one.resource):
            found.setdefault(above, [])
        named = ".".join((*one.resource, one.name))
        for other in found[one.resource]:
            if other.name == one.name:
                raise ValueError(f"{one.rpc.name}: the name {named} belongs to {other.rpc.name}; {_MEND}")
        found[one.resource].append(one)
    for one in every:
        if (*one.resource, one.name) in found:
            raise ValueError(f"{one.rpc.name}: {'.'.join((*one.resource, one.name))} is a resource already; {_MEND}")
    return dict(sorted(found.items()))


def snake(name: str) -> str:
    """Returns a camelCase or PascalCase name in snake_case: `ProcessPDFStream` is `process_pdf_stream`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def pascal(resource: tuple[str, ...]) -> str:
    """Returns the class name of a resource: `CollectionsDocuments`."""
    return "".join(part.title() for name in resource for part in name.split("_"))


def _above(resource: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for length in range(1, len(resource) + 1):
        yield resource[:length]
