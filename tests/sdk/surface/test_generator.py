"""The generator of the Python SDK on a contract of its own: a new RPC appears; what cannot be named is refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]

from codegen.sdk import plugin
from codegen.sdk.contracts import Contracts
from codegen.sdk.unasync import threaded

HEAD = """
syntax = "proto3";
package artificer.zoo.v1;
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
"""
ZOO = """
// ZooService keeps animals. It feeds them too.
service ZooService {
  // CreateAnimal adds an animal.
  rpc CreateAnimal(CreateAnimalRequest) returns (Animal) {
    option (google.api.http) = {post: "/v1/zoos/{zoo}/animals" body: "animal"};
  }
  // FeedAnimal feeds an animal; see CreateAnimal.
  rpc FeedAnimal(FeedAnimalRequest) returns (Animal) {
    option (google.api.http) = {post: "/v1/zoos/{zoo}/animals/{animal}:feed" body: "*"};
  }
  // WatchAnimals streams changes.
  rpc WatchAnimals(WatchAnimalsRequest) returns (stream Animal) {
    option (google.api.http) = {get: "/v1/zoos/{zoo}/animals:watch"};
  }
}
// Animal is one animal.
message Animal {
  // Output only. The id.
  string id = 1 [(google.api.field_behavior) = OUTPUT_ONLY];
  // Required. Its name.
  string name = 2 [(google.api.field_behavior) = REQUIRED];
  // Optional. What changes need.
  string etag = 3;
}
message CreateAnimalRequest {
  // Required. The zoo.
  string zoo = 1 [(google.api.field_behavior) = REQUIRED];
  string animal_id = 2;
  Animal animal = 3;
  string request_id = 4;
}
message FeedAnimalRequest {
  string zoo = 1;
  string animal = 2;
  // Optional. What it eats.
  Food food = 3;
}
message WatchAnimalsRequest { string zoo = 1; }
// Food is what animals eat.
enum Food { FOOD_UNSPECIFIED = 0; FOOD_HAY = 1; }
"""


def generated(text: str, tmp_path: Path) -> dict[str, str]:
    """The generated files of a contract."""
    import google.api.annotations_pb2 as annotations

    (tmp_path / "artificer/zoo/v1").mkdir(parents=True)
    (tmp_path / "artificer/zoo/v1/zoo.proto").write_text(HEAD + text)
    out = tmp_path / "set.binpb"
    includes = [
        f"-I{tmp_path}",
        f"-I{Path(annotations.__file__).parents[2]}",
        f"-I{Path(protoc.__file__).parent / '_proto'}",
    ]
    arguments = ["protoc", *includes, "--include_imports", "--include_source_info", f"--descriptor_set_out={out}"]
    assert protoc.main([*arguments, "artificer/zoo/v1/zoo.proto"]) == 0
    files = FileDescriptorSet.FromString(out.read_bytes()).file
    request = CodeGeneratorRequest(proto_file=files, file_to_generate=["artificer/zoo/v1/zoo.proto"])
    return plugin.files(Contracts.of(request))


def signatures(text: str) -> dict[str, str]:
    """The arguments of each method by its class and name."""
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return {
        f"{one.name}.{method.name}": ast.unparse(method.args)
        for one in classes
        for method in one.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_a_new_rpc_appears(tmp_path: Path) -> None:
    files = generated(ZOO, tmp_path)
    text = files["artificer/_async/api/zoos.py"]
    found = signatures(text)
    assert found["AsyncZoosAnimals.create"] == (
        "self, zoo: str, name: str, animal_id: str | None=None, **call_options: Unpack[CallOptions]"
    )
    assert found["AsyncZoosAnimals.feed"] == (
        "self, zoo: str, animal: str, *, food: types.zoo.Food | types.zoo.FoodName | None=None,"
        " **call_options: Unpack[CallOptions]"
    )
    assert found["AsyncZoosAnimals.watch"] == "self, zoo: str, **call_options: Unpack[CallOptions]"
    assert '"""Feeds an animal; see `client.zoos.animals.create`.' in text
    assert "zoo: The zoo." in text
    assert "ZooService.FEED_ANIMAL" in files["artificer/_methods/zoo.py"]
    assert 'FoodName: TypeAlias = Literal["hay"]' in files["artificer/types/zoo.py"]
    assert "def zoos(self) -> AsyncZoos:" in files["artificer/_async/api/root.py"]
    assert "class ZoosAnimals(Resource)" in threaded(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('get: "/v1/zoos/{zoo}/animals:watch"', 'get: "/v1/zoos/{zoo}/animals:feed"'),
            r"WatchAnimals: the name zoos.animals.feed belongs to artificer.zoo.v1.ZooService/FeedAnimal;"
            r" give it another custom verb, or another place in _PLACES of codegen/sdk/naming.py",
        ),
        (('get: "/v1/zoos/{zoo}/animals:watch"', 'get: "/v1/zoos:animals"'), "zoos.animals is a resource already"),
        (('get: "/v1/zoos/{zoo}/animals:watch"', 'get: "/v1/zoos/{zoo}:import"'), "'import' is a keyword of Python"),
        (("string animal_id = 2;", "string model_fields = 2;"), "pydantic has a meaning for 'model_fields'"),
        (("string animal_id = 2;", "string from = 2;"), "Python has a meaning for 'from'"),
        (('get: "/v1/zoos/{zoo}/animals:watch"', 'get: "/v1/{zoo}"'), "names no collection"),
    ],
)
def test_what_has_no_name_is_refused(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        generated(ZOO.replace(*change), tmp_path)
