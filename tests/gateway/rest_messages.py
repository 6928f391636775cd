"""The exact wording of errors over REST: requests, their HTTP status, and the message."""

from __future__ import annotations

import gzip

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANY_TYPE = "type.googleapis.com/google.protobuf.Duration"
GRPC_TYPES = (
    "application/grpc, application/grpc-web, application/grpc-web-text, application/grpc+proto, application/grpc+json, "
    "application/grpc-web+proto, application/grpc-web+json, application/grpc-web-text+proto, "
    "application/grpc-web-text+json"
)
BOUNDARY = "multipart/form-data; boundary=b"

TARGETS: list[tuple[str, int, str]] = [
    ("GET /v1/nothing", 404, "no route matches '/v1/nothing'"),
    (
        "POST /v1/dishes/1",
        405,
        "method POST is not allowed for '/v1/dishes/1'; expected one of DELETE, GET, HEAD, OPTIONS, PATCH, PURGE, PUT",
    ),
    ("GET /v1/dishes/%zz", 400, "dish_id: the path has a malformed percent escape"),
    ("GET /v1/dishes/%FF", 400, "dish_id: the path's percent escapes are not valid UTF-8"),
    ("GET /v1/echo?int32Value=x", 400, "int32Value: expected an integer (int32)"),
    ("GET /v1/echo?int32Value=3000000000", 400, "int32Value: out of range for int32"),
    ("GET /v1/echo?floatValue=1e39", 400, "floatValue: out of range for float"),
    ("GET /v1/echo?doubleValue=x", 400, "doubleValue: expected a number, NaN, Infinity or -Infinity"),
    ("GET /v1/echo?boolValue=1", 400, "boolValue: expected true or false"),
    ("GET /v1/echo?bytesValue=%25", 400, "bytesValue: expected base64 or base64url"),
    (
        "GET /v1/echo?course=SOUP",
        400,
        "course: expected one of COURSE_UNSPECIFIED, COURSE_STARTER, COURSE_MAIN, COURSE_DESSERT, or its number",
    ),
    ("GET /v1/echo?timestamp=yesterday", 400, "timestamp: expected an RFC 3339 timestamp such as 2026-01-31T12:00:00Z"),
    ("GET /v1/echo?duration=5", 400, "duration: expected seconds with the suffix s, such as 1.5s"),
    ("GET /v1/echo?mask=a_b", 400, "mask: expected field paths in lowerCamelCase, separated by commas"),
    (
        "GET /v1/echo?intt32Value=1",
        400,
        "intt32Value: kitchen.v1.EchoRequest has no field 'intt32Value'; did you mean 'int32Value'?",
    ),
    ("GET /v1/echo?nothingLikeIt=1", 400, "nothingLikeIt: kitchen.v1.EchoRequest has no field 'nothingLikeIt'"),
    (
        "GET /v1/echo?stringValue.x=1",
        400,
        "stringValue.x: field 'string_value' of kitchen.v1.EchoRequest is a scalar; it has no field 'x'",
    ),
    (
        "GET /v1/echo?ingredients.name=1",
        400,
        "ingredients.name: field 'ingredients' of kitchen.v1.EchoRequest is repeated; it has no field 'name'",
    ),
    (
        "GET /v1/echo?labels.x=1",
        400,
        "labels.x: field 'labels' of kitchen.v1.EchoRequest is a map; it has no field 'x'",
    ),
    ("GET /v1/echo?int32Value=1&int32Value=2", 400, "int32Value: repeated parameter; the field takes a single value"),
    ("GET /v1/echo?labels=1", 400, "labels: missing map key; expected labels[key]=value"),
    ("GET /v1/echo?int32Value[a]=1", 400, "int32Value[a]: 'int32Value' is not a map"),
    ("GET /v1/echo?counts[x]=1", 400, "counts[x]: invalid key: expected an integer (int32)"),
    ("GET /v1/echo?pantry[a]=1", 400, "pantry[a]: a query cannot set a map of messages"),
    ("GET /v1/echo?ingredients=1", 400, "ingredients: a query cannot set a repeated message"),
    (
        "GET /v1/echo?ingredient=1",
        400,
        "ingredient: a query cannot set a whole message; expected ingredient.field=value",
    ),
    (
        "GET /v1/echo?choiceInt=1&choiceString=a",
        400,
        "choiceString: only one of 'choice_int' and 'choice_string' may be set (oneof 'choice')",
    ),
    ("GET /v1/echo?stringValue=%G0", 400, "the query has a malformed percent escape"),
    ("GET /v1/echo?stringValue=%FF", 400, "the query is not valid UTF-8"),
    ("GET /v1/echo?$alt=proto", 400, "$alt: expected json or json;enum-encoding=int"),
    ("GET /v1/dishes/1?dishId=2", 400, "dishId: already bound by the path; remove this query parameter"),
    ("GET /v1/dishes/missing", 404, "no such dish"),
]

BODIES: list[tuple[str, str | bytes, int, str]] = [
    ("/v1/echo", "{", 400, "the body is not valid JSON: unexpected end of data at line 1 column 2"),
    ("/v1/echo", b"\xff", 400, "the body is not valid UTF-8: invalid byte at offset 0"),
    ("/v1/echo", "[]", 400, "expected an object, got an array"),
    ("/v1/echo", '{"unknown":1}', 400, "unknown: unknown field of kitchen.v1.EchoRequest"),
    ("/v1/echo", '{"int32Value":"x"}', 400, "int32Value: expected an integer (int32)"),
    ("/v1/echo", '{"int32Value":[]}', 400, "int32Value: expected an integer (int32), got an array"),
    ("/v1/echo", '{"doubleValue":{}}', 400, "doubleValue: expected a number, got an object"),
    ("/v1/echo", '{"boolValue":"true"}', 400, "boolValue: expected true or false, got a string"),
    ("/v1/echo", '{"stringValue":1}', 400, "stringValue: expected a string, got a number"),
    ("/v1/echo", '{"course":true}', 400, "course: expected an enum name or number, got a boolean"),
    ("/v1/echo", '{"strings":"a"}', 400, "strings: expected an array, got a string"),
    ("/v1/echo", '{"strings":[null]}', 400, "strings[0]: null is not allowed as an element"),
    ("/v1/echo", '{"labels":[]}', 400, "labels: expected an object, got an array"),
    ("/v1/echo", '{"counts":{"x":"1"}}', 400, "counts['x']: invalid key: expected an integer (int32)"),
    (
        "/v1/echo",
        '{"choiceString":"a","choiceInt":1}',
        400,
        "choiceInt: only one of 'choiceString' and 'choiceInt' may be set (oneof 'choice')",
    ),
    (
        "/v1/echo",
        '{"any":{"value":1}}',
        400,
        "any.@type: expected a type URL such as type.googleapis.com/google.rpc.RetryInfo",
    ),
    (
        "/v1/echo",
        '{"any":{"@type":"a/kitchen.v1.Nothing"}}',
        400,
        "any.@type: unknown message type 'a/kitchen.v1.Nothing'",
    ),
    (
        "/v1/echo",
        f'{{"any":{{"@type":"{ANY_TYPE}"}}}}',
        400,
        "any.value: missing value of type google.protobuf.Duration",
    ),
    (
        "/v1/echo",
        f'{{"any":{{"@type":"{ANY_TYPE}","value":"1s","x":1}}}}',
        400,
        'any.x: unexpected member; google.protobuf.Duration allows only "@type" and "value"',
    ),
    ("/v1/echo", '{"struct":' + '{"a":' * 65 + "1" + "}" * 66, 400, "the body nests deeper than 64 levels"),
    (
        "/v1/echo?int32Value=1",
        "{}",
        400,
        "int32Value: query parameters are not allowed; the body sets every field of this method",
    ),
    ("/v1/dishes?dish.title=x", "{}", 400, "dish.title: already bound by the body; remove this query parameter"),
    ("/v1/dishes/1:cook", '{"dishId":"2"}', 400, "dish_id: the value in the body differs from the value in the path"),
    ("/v1/sum", '[{"number":1}', 400, "truncated JSON array: no closing ] after 1 element"),
    ("/v1/sum", "[{},,{}]", 400, "empty element in the JSON array"),
    ("/v1/sum", "[1}", 400, "unmatched } in the JSON array"),
    ("/v1/sum", "[] x", 400, "unexpected data after the JSON array"),
    (
        "/v1/sum",
        '{"number":1}\n{"number":2}\n',
        400,
        "expected one JSON value or an array, got lines; send lines as application/x-ndjson",
    ),
    ("/v1/sum", '{"number":1,"number":1}', 400, "number: the object has this member twice"),
    (
        "/v1/echo",
        '{"int32Value":1,"int32_value":1}',
        400,
        "int32_value: the field is set twice, as 'int32Value' and as 'int32_value'",
    ),
]

HEADERS: list[tuple[str, dict[str, str], bytes, int, str]] = [
    (
        "POST /v1/dishes/1:cook",
        {"content-type": "text/plain"},
        b"x",
        415,
        "unsupported content type 'text/plain'; expected application/json or multipart/form-data",
    ),
    ("POST /v1/dishes/1:cook", {}, b"x", 415, "missing content type; expected application/json or multipart/form-data"),
    (
        "POST /v1/echo",
        {"content-type": "application/json; charset=latin-1"},
        b"{}",
        415,
        "unsupported charset 'latin-1'; expected utf-8 (RFC 8259)",
    ),
    (
        "POST /v1/sum",
        {"content-type": "text/plain"},
        b"x",
        415,
        "unsupported content type 'text/plain' for a stream; expected one of application/json, application/x-ndjson",
    ),
    (
        "POST /v1/echo",
        {"content-encoding": "br"},
        b"{}",
        415,
        "unsupported content-encoding 'br'; expected gzip or identity",
    ),
    (
        "POST /v1/echo",
        {"content-encoding": "gzip"},
        b"{}",
        400,
        "the body is not valid gzip, but its content-encoding is gzip",
    ),
    ("POST /v1/echo", {"content-encoding": "gzip"}, gzip.compress(b"{}", mtime=0)[:-1], 400, "truncated gzip body"),
    (
        "GET /v1/dishes/1",
        {"content-type": "application/json"},
        b'{"a":1}',
        400,
        "unexpected body; this method reads its fields from the path and the query",
    ),
    (
        "GET /v1/ticks",
        {"accept": "text/csv"},
        b"",
        406,
        "unsupported accept 'text/csv'; expected one of application/json, application/x-ndjson, text/event-stream",
    ),
    (
        "GET /v1/dishes/1",
        {"x-a-bin": "!"},
        b"",
        400,
        "x-a-bin: expected base64, as in every header whose name ends in -bin",
    ),
    (
        "GET /v1/dishes/1",
        {"grpc-timeout": "soon"},
        b"",
        400,
        "grpc-timeout: invalid value 'soon'; expected 1 to 8 digits and a unit (H, M, S, m, u or n)",
    ),
    (
        "GET /v1/dishes/1",
        {"x-server-timeout": "soon"},
        b"",
        400,
        "x-server-timeout: invalid value 'soon'; expected a number of seconds such as 2.5",
    ),
    ("GET /v1/dishes/1", {"x-server-timeout": "0"}, b"", 504, "Deadline Exceeded"),
    (
        "POST /v1/blobs",
        {"content-type": "multipart/form-data"},
        b"x",
        400,
        "missing boundary; expected multipart/form-data; boundary=…",
    ),
    ("POST /v1/blobs", {"content-type": BOUNDARY}, b"x", 400, "malformed multipart form"),
    (
        "POST /v1/blobs",
        {"content-type": BOUNDARY},
        b"--b\r\n",
        400,
        "truncated multipart form: the closing boundary is missing",
    ),
    (
        "POST /v1/blobs",
        {"content-type": BOUNDARY},
        b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--\r\n",
        400,
        "a form part has no name; expected content-disposition: form-data; name=…",
    ),
]
