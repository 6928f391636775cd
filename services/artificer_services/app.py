"""The one composition root: makes the gateway that `make serve` runs, with every service behind it.

It knows every service's `build`, and nothing of how a service works.
"""

from __future__ import annotations

from dataclasses import fields

from pydantic import TypeAdapter, ValidationError

from artificer.ocr.v1 import ocr_service_pb2_grpc
from diptych import Gateway, Settings

from .ocr.build import OcrService, OcrSettings, build

# Base64 makes a document a third larger, and the other fields want room too.
_BASE64_AND_ROOM = 1.5
_OCR_METHODS = ("ExtractTextFromImage", "ProcessPDF", "ProcessPDFStream", "CheckPDFNeedsOCR")


def create(settings: Settings) -> Gateway:
    """The gateway with all services. Raises ValueError for a service's settings that cannot work."""
    ocr_settings = _ocr_settings(settings)
    limit = int(ocr_settings.max_document_bytes * _BASE64_AND_ROOM)
    limits = {f"/artificer.ocr.v1.OCRService/{name}": limit for name in _OCR_METHODS}
    settings = settings.model_copy(update={"method_max_body_bytes": {**limits, **settings.method_max_body_bytes}})
    ocr: OcrService = build(ocr_settings)
    gateway = Gateway(settings, lifespan=ocr.lifespan, readiness={"ocr": ocr.ready})
    ocr_service_pb2_grpc.add_OCRServiceServicer_to_server(ocr.servicer, gateway)
    return gateway


def _ocr_settings(settings: Settings) -> OcrSettings:
    table = settings.services.get("ocr", {})
    unknown = table.keys() - {field.name for field in fields(OcrSettings)}
    if unknown:
        raise ValueError(f"services.ocr has no setting {', '.join(sorted(unknown))}")
    try:
        # Environment variables are text; the adapter makes numbers of them.
        return TypeAdapter(OcrSettings).validate_python(dict(table))
    except ValidationError as error:
        faults = (f"services.ocr.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ValueError("; ".join(faults)) from None
