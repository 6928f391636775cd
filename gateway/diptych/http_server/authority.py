"""What the host of a request may look like, for every version of HTTP.

It knows no request.
"""

from __future__ import annotations

import re

AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::\d{0,5})?")
"""A host and a port (RFC 3986 section 3.2.2), without user information, and without the comma: a list of hosts is what
joined fields look like."""
