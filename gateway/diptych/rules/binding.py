"""Converts an HttpRule to Bindings: checks a `google.api.http` annotation against its method's messages.

It knows no handler and no request. Any error stops the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from .. import template
from ..fields import FieldPath, UnknownField, by_proto_name, is_scalar, resolve, shared_oneof
from ..template import Template, Variable

# The stubs of googleapis-common-protos call every extension a plain FieldDescriptor.
_HTTP: Any = annotations_pb2.http


class RuleError(ValueError):
    """An invalid rule. For an annotation, the message names the proto file, the method and, for a path, the column.

    `method` may also be the place of a rule that belongs to no method, such as a file.
    """

    def __init__(self, method: MethodDescriptor | str, reason: str) -> None:
        where = method if isinstance(method, str) else f"{method.containing_service.file.name}: {method.full_name}"
        super().__init__(f"{where}: {reason}")
        self.reason = reason
        self.where = where


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One HTTP verb and path that call a method.

    `whole_body` means `body: "*"`; otherwise `body` is the field that the request body sets, or None.
    """

    method: MethodDescriptor
    verb: str
    template: Template
    variables: tuple[tuple[Variable, FieldPath], ...] = ()
    whole_body: bool = False
    body: FieldDescriptor | None = None
    response_body: FieldDescriptor | None = None

    @property
    def takes_body(self) -> bool:
        """Returns whether the binding reads a request body."""
        return self.whole_body or self.body is not None

    @property
    def body_name(self) -> str:
        """Returns the annotation's `body`, in proto names."""
        return "*" if self.whole_body else self.body.name if self.body else ""


def bindings(method: MethodDescriptor, *, unbound: bool = False) -> list[Binding]:
    """Returns the bindings of a method, the main one first; an empty list if it has no annotation.

    With `unbound`, a method without an annotation gets `POST /{package.Service}/{Method}` with the body "*".
    Raises `RuleError`.
    """
    rule = annotation(method)
    if rule is None:
        if not unbound:
            return []
        rule = HttpRule(post=f"/{method.containing_service.full_name}/{method.name}", body="*")
    return bindings_of(method, rule)


def annotation(method: MethodDescriptor) -> HttpRule | None:
    """Returns the method's `google.api.http` annotation, or None."""
    options = method.GetOptions()
    return options.Extensions[_HTTP] if options.HasExtension(_HTTP) else None


def bindings_of(method: MethodDescriptor, rule: HttpRule) -> list[Binding]:
    """Returns the bindings of a rule, the main one first. Raises `RuleError`."""
    return [_binding(method, one) for one in _flat(method, rule)]


def _flat(method: MethodDescriptor, rule: HttpRule) -> Iterator[HttpRule]:
    yield rule
    for more in rule.additional_bindings:
        if more.additional_bindings:
            raise RuleError(method, "additional_bindings cannot be nested (google/api/http.proto)")
        yield more


def _binding(method: MethodDescriptor, rule: HttpRule) -> Binding:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise RuleError(method, "a google.api.http rule has no pattern")
    verb, path = (rule.custom.kind, rule.custom.path) if kind == "custom" else (kind, getattr(rule, kind))
    verb = verb.upper()
    if verb == "*":
        raise RuleError(method, 'the custom kind "*" is not supported; list the HTTP methods one by one')
    if not verb.isascii() or not verb.replace("-", "").isalpha():
        raise RuleError(method, f"{verb!r} is not an HTTP method")
    try:
        parsed = template.parse(path)
    except template.TemplateError as error:
        raise RuleError(method, str(error)) from None
    if verb in {"GET", "HEAD"} and rule.body:
        raise RuleError(method, f"{verb} {path}: a {verb} request has no body (RFC 9110 section 9.3.1)")
    variables = _variables(method, parsed)
    body = _field(method, method.input_type, rule.body, "body") if rule.body not in ("", "*") else None
    bound = {field.fields[0] for _, field in variables if len(field.fields) == 1}
    if body is not None and body in bound:
        raise RuleError(method, f"{path}: field {body.name!r} is bound by the path and by the body")
    response = _field(method, method.output_type, rule.response_body, "response_body") if rule.response_body else None
    return Binding(
        method=method,
        verb=verb,
        template=parsed,
        variables=variables,
        whole_body=rule.body == "*",
        body=body,
        response_body=response,
    )


def _variables(method: MethodDescriptor, parsed: Template) -> tuple[tuple[Variable, FieldPath], ...]:
    found: list[tuple[Variable, FieldPath]] = []
    for variable in parsed.variables:
        path = _variable(method, parsed, variable)
        if any(path == other for _, other in found):  # by its proto name and by its JSON name
            raise RuleError(method, f"column {variable.column} of {parsed.text!r}: field {str(path)!r} is bound twice")
        for _, other in found:
            if (oneof := shared_oneof(path, other)) is not None:
                where = f"column {variable.column} of {parsed.text!r}"
                reason = f"a request can set only one of {str(other)!r} and {str(path)!r} (oneof {oneof!r})"
                raise RuleError(method, f"{where}: {reason}")
        found.append((variable, path))
    return tuple(found)


def _variable(method: MethodDescriptor, parsed: Template, variable: Variable) -> FieldPath:
    where = f"column {variable.column} of {parsed.text!r}: "
    try:
        found = resolve(method.input_type, variable.path, proto_first=True)
    except UnknownField as error:
        raise RuleError(method, f"{where}{error}") from None
    if found.leaf.is_repeated:
        raise RuleError(method, f"{where}field {variable.path!r} is repeated; a path variable needs a single scalar")
    if not is_scalar(found.leaf):
        raise RuleError(method, f"{where}field {variable.path!r} is a message; a path variable needs a scalar")
    return found


def _field(method: MethodDescriptor, message: Descriptor, name: str, what: str) -> FieldDescriptor:
    field = by_proto_name(message).get(name)
    if field is None:
        raise RuleError(method, f"{what}: {message.full_name} has no field {name!r}")
    return field
