"""Which rules the methods have: annotations, service configurations and settings; and what is not served, and why.

It knows no route; templates of one verb and shape are a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from ..settings import Settings
from .binding import Binding, RuleError, annotation, bindings, bindings_of
from .service_config import Rule, parsed, rules_of

SKIP = "skip"
_TYPO = 0.8  # the ratio from which the name of a service counts as a misspelling of another


class Dropped(NamedTuple):
    """A rule that is not served."""

    where: str
    why: str
    chosen: bool
    """Whether a setting or a service configuration says so about this very method."""

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


class RuleBook:
    """The bindings of methods, with every error and everything that is dropped.

    A setting of `http_rules` overrides a service configuration, which overrides the annotation; of several rules for
    one method, the last one counts (google/api/http.proto: "service configuration rules follow 'last one wins'").
    """

    def __init__(self, methods: Iterable[MethodDescriptor], settings: Settings, *, unbound: bool = False) -> None:
        self._methods: Mapping[str, MethodDescriptor] = {method.full_name: method for method in methods}
        self._skipped = tuple(one for one, rule in settings.http_rules.items() if rule == SKIP)
        self.errors: list[RuleError] = []
        self.dropped: list[Dropped] = []
        self.ruled: set[str] = set()
        """The full names of the methods that have a rule, valid or not, or are skipped."""
        rules = self._selected(settings)
        found: list[Binding] = []
        for method in self._methods.values():
            rule = rules.get(method.full_name)
            if rule is not None or annotation(method) is not None or self.is_skipped(method.full_name):
                self.ruled.add(method.full_name)
            try:
                found += self._bindings(method, rule, unbound=unbound)
            except RuleError as error:
                self.errors.append(error)
        self.bindings: list[Binding] = [*self._without_conflicts(found, settings.conflicts)]

    def check(self) -> None:
        """Raises `RuleError` if there is an error; its message says how many more there are."""
        if not self.errors:
            return
        first, *more = self.errors
        if more:
            counted = f"{len(more)} more error{'s' if len(more) > 1 else ''}"
            raise RuleError(first.where, f"{first.reason}; and {counted}, which diptych lint lists")
        raise first

    def is_skipped(self, method: str) -> bool:
        """Returns whether `http_rules` skips a method, by its full name or by a prefix followed by `*`."""
        return any(_selects(pattern, method) for pattern in self._skipped)

    def _bindings(self, method: MethodDescriptor, rule: Rule | None, *, unbound: bool) -> list[Binding]:
        name = method.full_name
        if self.is_skipped(name):
            if rule is not None or annotation(method) is not None or unbound:
                self.dropped.append(Dropped(name, "not served over REST: skipped by http_rules", chosen=True))
            return []
        if rule is None:
            return bindings(method, unbound=unbound)
        if annotation(method) is not None:
            self.dropped.append(Dropped(name, f"the annotation is overridden by {rule.where}", chosen=True))
        if isinstance(rule.rule, RuleError):
            raise rule.rule
        try:
            return bindings_of(method, rule.rule)
        except RuleError as error:
            raise RuleError(rule.where, str(error)) from None

    # The rules that are not annotations.

    def _selected(self, settings: Settings) -> Mapping[str, Rule]:
        """Returns the rule of each method that a file or a setting has one for."""
        chosen: dict[str, Rule] = {}
        for rule in self._written(settings):
            if self.is_skipped(rule.selector):
                if rule.selector not in self._methods:  # else `_bindings` says so
                    self.dropped.append(
                        Dropped(rule.selector, "not served over REST: skipped by http_rules", chosen=True)
                    )
                continue
            if rule.selector not in self._methods:
                self._unmatched(rule)
                continue
            before = chosen.get(rule.selector)
            if before is not None:
                why = f"the rule at {before.where} is overridden by {rule.where}"
                self.dropped.append(Dropped(rule.selector, why, chosen=True))
            chosen[rule.selector] = rule
        return chosen

    def _written(self, settings: Settings) -> Iterator[Rule]:
        written = [*self._files(settings.service_config)]
        yield from written
        seen = {*self._methods, *(rule.selector for rule in written)}
        for selector, value in settings.http_rules.items():
            where = f"http_rules.{selector}"
            if value != SKIP:
                yield Rule(where, selector, parsed(where, value))
            elif not any(_selects(selector, name) for name in seen) and not _exists(selector.removesuffix(".*")):
                self.errors.append(RuleError(where, self._unknown(selector)))

    def _files(self, files: Iterable[str]) -> Iterator[Rule]:
        for file in files:
            try:
                yield from rules_of(file)
            except RuleError as error:
                self.errors.append(error)

    def _unmatched(self, rule: Rule) -> None:
        service = rule.selector.rpartition(".")[0]
        served = {method.containing_service.full_name for method in self._methods.values()}
        # Files of Google's have rules of mixins too, such as google.longrunning.Operations.
        elsewhere = rule.in_file and not get_close_matches(service, served, n=1, cutoff=_TYPO)
        if service not in served and (elsewhere or _exists(rule.selector)):
            self.dropped.append(
                Dropped(
                    rule.selector, f"not served over REST: {service} is not registered ({rule.where})", chosen=False
                )
            )
        else:
            self.errors.append(RuleError(rule.where, self._unknown(rule.selector)))

    def _unknown(self, selector: str) -> str:
        close = get_close_matches(selector, list(self._methods), n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        return f"selector {selector!r} names no method of a registered service{meant}"

    # Conflicts.

    def _without_conflicts(self, found: list[Binding], policy: str) -> Iterator[Binding]:
        """Yields the bindings that are served, in their order."""
        groups: dict[tuple[str, str], list[Binding]] = {}
        for binding in found:
            groups.setdefault((binding.verb, binding.template.shape), []).append(binding)
        for binding in found:
            first, *more = groups[binding.verb, binding.template.shape]
            if not more or policy == "error" or (policy == "first" and binding is first):
                yield binding
            if not more or (policy != "skip" and binding is first):
                continue
            text = _conflict(binding, more[0] if binding is first else first)
            if policy == "error":
                self.errors.append(RuleError(binding.method, f"column 1 of {binding.template.text!r}: {text}"))
            else:
                where = f"{binding.verb} {binding.template} ({binding.method.full_name})"
                kept = ", which is served" if policy == "first" else "; none of them is served"
                self.dropped.append(
                    Dropped(where, f'not served over REST: {text}{kept} (conflicts = "{policy}")', chosen=False)
                )


def _conflict(binding: Binding, other: Binding) -> str:
    both = f"both are {binding.verb} {binding.template.shape}"
    return f"has the same shape as {other.verb} {other.template} ({other.method.full_name}): {both}"


def _selects(pattern: str, name: str) -> bool:
    """Whether a pattern is the name, or a prefix of whole components followed by `*` (google/api/service.proto)."""
    if pattern == "*":
        return True
    return name.startswith(pattern[:-1]) if pattern.endswith(".*") else name == pattern


def _exists(name: str) -> bool:
    """Whether the descriptor pool has a method or a service of that name."""
    pool = descriptor_pool.Default()
    for find in (pool.FindMethodByName, pool.FindServiceByName):
        try:
            find(name)
        except KeyError:
            continue
        return True
    return False
