"""Documents for the tests of the AI services, made here."""

from __future__ import annotations

import io

from reportlab.lib.styles import getSampleStyleSheet  # type: ignore[import-untyped]  # no stubs
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate  # type: ignore[import-untyped]


def handbook(*pages: tuple[str, str]) -> bytes:
    """A PDF document by reportlab with a heading and a text on each page."""
    styles, flow, out = getSampleStyleSheet(), [], io.BytesIO()
    for heading, text in pages:
        flow += [Paragraph(heading, styles["Heading1"]), Paragraph(text, styles["BodyText"]), PageBreak()]
    SimpleDocTemplate(out).build(flow)
    return out.getvalue()
