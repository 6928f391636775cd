"""The base of every table of settings. It knows no setting."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SettingsTable(BaseModel):
    """Frozen settings; an unknown name is an error."""

    # An error must not repeat the value, which may be a secret. `defer_build` leaves the validators, four fifths of
    # what importing the settings would cost, to the first gateway. The docstrings of fields are read by
    # codegen/settings_docs.py: pydantic would parse the source of every class at import.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)
