"""Settings of REST's routes: rules besides the annotations, and what happens if rules conflict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from .listening import Listed
from .table import SettingsTable


class HttpRulesSettings(SettingsTable):
    """Rules of REST for contracts whose annotations are missing or cannot be served."""

    service_config: Listed = ()
    """YAML files of `google.api.Service`, whose `http.rules` override the annotations of the methods that they select
    (needs the extra `yaml`). In a later file, a rule overrides those of earlier ones."""
    http_rules: Mapping[str, Literal["skip"] | Mapping[str, Any]] = Field(default_factory=dict)
    """Rules by selector, `package.Service.Method`, in the form of `google.api.HttpRule`; they override files and
    annotations. `"skip"` instead of a rule leaves a method out of REST, or with `package.*` all methods below."""
    conflicts: Literal["error", "first", "skip"] = "error"
    """What two rules of one HTTP method and shape cause: the start fails (`error`), the first in the order of
    registration is served (`first`), or neither is (`skip`)."""
