"""The errors whose text alone says what to do: they are shown in one line, without the place in the code."""

from __future__ import annotations

from ..auth import AuthError, KeyFileError
from ..extras import MissingExtra
from ..limits import LimitError
from ..methods import RegistrationError
from ..rpc_server import EngineError
from ..rules import RuleError
from ..settings.errors import SettingError

CONFIGURATION = (
    AuthError,
    EngineError,
    KeyFileError,
    LimitError,
    MissingExtra,
    RegistrationError,
    RuleError,
    SettingError,
    OSError,
)
