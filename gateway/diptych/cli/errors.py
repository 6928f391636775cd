"""The errors whose message says what to do; they are printed in one line, without a location in the code."""

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
