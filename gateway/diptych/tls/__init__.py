"""Certificates: read from files and reloaded when those change, and the identity of a client's certificate.

It knows no listener.
"""

from .context import Admission
from .identity import AuthContext, auth_context
from .material import Material
from .reloader import CertificateReloader

__all__ = ["Admission", "AuthContext", "CertificateReloader", "Material", "auth_context"]
