"""The OpenAPI 3.1 document of the served bindings, as a plain dict.

`document` makes it; `merge` adds FastAPI's own routes to it; `behind` and `for_clients` are views of it. It knows no
server and no request.
"""

from .document import document
from .merge import merge
from .views import behind, for_clients

__all__ = ["behind", "document", "for_clients", "merge"]
