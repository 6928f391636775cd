"""The OpenAPI 3.1 document of the live bindings, as a plain dict.

The door to the room: `document` makes it, `merge` lays FastAPI's own routes into it. It knows no server and no request.
"""

from .document import document
from .merge import merge

__all__ = ["document", "merge"]
