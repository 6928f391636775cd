"""The OpenAPI 3.1 document of the served bindings, as a plain dict.

`document` makes it; `merge` adds FastAPI's own routes to it. It knows no server and no request.
"""

from .document import document
from .merge import merge

__all__ = ["document", "merge"]
