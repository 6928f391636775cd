"""A plugin of buf that writes the generated parts of the Python SDK: models, methods and resources."""

from __future__ import annotations

import subprocess
import sys

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2

from . import models, naming, resources, table
from .contracts import Contracts
from .wording import Words


def respond(request: plugin_pb2.CodeGeneratorRequest) -> plugin_pb2.CodeGeneratorResponse:
    """Returns the generated files by their paths below the distribution's folder."""
    response = plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL,
        minimum_edition=descriptor_pb2.EDITION_PROTO2,
        maximum_edition=descriptor_pb2.EDITION_2023,
    )
    try:
        for path, text in sorted(files(Contracts.of(request)).items()):
            response.file.add(name=path, content=formatted(text))
    except ValueError as error:
        response.error = str(error)
    return response


def formatted(text: str) -> str:
    """Returns Python code as ruff formats it by the settings of the repository."""
    for words in (("check", "--quiet", "--select", "I,F401", "--fix"), ("format",)):
        command = (sys.executable, "-m", "ruff", *words, "--no-cache", "--stdin-filename", "codegen/sdk/made.py", "-")
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"ruff: {done.stderr.strip()}")
        text = done.stdout
    return text


def files(contracts: Contracts) -> dict[str, str]:
    """Returns the text of each generated file. Raises ValueError for contracts that the SDK has no form for."""
    found = {}
    for package in contracts.packages():
        found[f"artificer/types/{models.domain(package)}.py"] = models.module(contracts, package)
    found["artificer/types/__init__.py"] = models.package_init(contracts)
    every = [naming.placed(rpc) for rpc in contracts.rpcs()]
    found |= table.files(every)
    tree, words = naming.tree(every), Words(every)
    tops = {top: _about(top, every, contracts) for top in sorted({resource[0] for resource in tree})}
    api = {"__init__": '"""The generated resources."""\n'}
    for top, about in tops.items():
        below = {place: methods for place, methods in tree.items() if place[0] == top}
        api[top] = resources.module(top, below, words, about)
    by_hand = {name: about for name, about in naming.BY_HAND.items() if resources.extended((name,))}
    api["root"] = resources.root(dict(sorted({**tops, **by_hand}.items())))
    found |= {f"artificer/_async/api/{name}.py": text for name, text in api.items()}
    return found


def _about(top: str, every: list[naming.Placed], contracts: Contracts) -> str:
    """Returns what a top resource is: the first sentence of the comment of its first method's service."""
    service = next(one.rpc.name.partition("/")[0] for one in every if one.resource[0] == top)
    text = contracts.comments.get(service, "").partition("\n\n")[0]
    sentence = " ".join(text.split()).partition(". ")[0].rstrip(".")
    return naming.ABOUT.get(top, sentence.partition(" ")[2] or top) + "."


if __name__ == "__main__":
    answer = respond(plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(answer.SerializeToString())
