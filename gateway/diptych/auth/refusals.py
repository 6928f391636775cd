"""The statuses of refused calls.

It knows no credentials. The challenge is RFC 6750's, in `www-authenticate`: trailing metadata over gRPC.
"""

from __future__ import annotations

from google.rpc import error_details_pb2

from ..status import Code, Status, pack
from .caller import Principal
from .policy import Need

DOMAIN = "diptych"
CHALLENGE = "www-authenticate"

NOBODY = "the call has no credentials that this server accepts"
EXPIRED = "the credentials have expired"


def unauthenticated(reason: str, *, shown: bool = True) -> Status:
    """Returns UNAUTHENTICATED; `shown` means that the call had credentials. `reason` must not contain quotes."""
    challenge = f'Bearer error="invalid_token", error_description="{reason}"' if shown else "Bearer"
    info = error_details_pb2.ErrorInfo(reason="CREDENTIALS_INVALID" if shown else "CREDENTIALS_MISSING", domain=DOMAIN)
    return Status(code=Code.UNAUTHENTICATED, message=reason, details=(pack(info),), headers=((CHALLENGE, challenge),))


def denied(need: Need, caller: Principal, method: str) -> Status | None:
    """Returns PERMISSION_DENIED that names what is missing; None if nothing is."""
    lacking = need.lacking(caller)
    if lacking is None:
        return None
    scopes, roles = (sorted(names) for names in lacking)
    info = error_details_pb2.ErrorInfo(
        reason="SCOPE_MISSING" if scopes else "ROLE_MISSING", domain=DOMAIN, metadata={"method": method}
    )
    parts: list[str] = []
    if scopes:
        info.metadata["scopes"] = " ".join(scopes)
        parts.append(f"the scope{'s' if len(scopes) > 1 else ''} {', '.join(scopes)}")
    if roles:
        info.metadata["roles"] = " ".join(roles)
        parts.append(f"the role {' or '.join(roles)}")
    challenge = 'Bearer error="insufficient_scope"'
    if need.scopes:
        challenge += f', scope="{" ".join(sorted(need.scopes))}"'
    return Status(
        code=Code.PERMISSION_DENIED,
        message=f"the caller lacks {' and '.join(parts)}",
        details=(pack(info),),
        headers=((CHALLENGE, challenge),),
    )
