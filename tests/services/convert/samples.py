"""Documents for the tests of conversions, small and made here."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="png" ContentType="image/png"/><Override PartName="/word/document.xml"
 ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
_STYLES = """<?xml version="1.0"?><w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>"""
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = f"""<?xml version="1.0"?><Relationships
 xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Target="%s"
 Type="{_OFFICE}/%s"%s/><Relationship Id="r2" Target="styles.xml" Type="{_OFFICE}/styles"/></Relationships>"""
_PICTURE = """<w:p><w:r><w:drawing><wp:inline><wp:extent cx="9525" cy="9525"/>
<wp:docPr id="1" name="x" descr="a pixel"/>
<a:graphic><a:graphicData><pic:pic><pic:blipFill><a:blip r:%s="r1"/></pic:blipFill></pic:pic></a:graphicData>
</a:graphic></wp:inline></w:drawing></w:r></w:p>"""
_DOCUMENT = f"""<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"
 xmlns:r="{_OFFICE}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"
 xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
 xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><w:body>%s</w:body></w:document>"""
_XML = '<?xml version="1.0"?>'


def paragraph(text: str, style: str = "") -> str:
    """A paragraph of Word's XML."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def docx(*paragraphs: str, doctype: str = "", picture: str = "", files: Mapping[str, bytes] | None = None) -> bytes:
    """A Word document; `picture` is "embed" for one inside it, or the address of one elsewhere."""
    body = "".join(paragraphs)
    if picture:
        body += _PICTURE % ("embed" if picture == "embed" else "link")
    target, mode = ("media/x.png", "") if picture in ("", "embed") else (picture, ' TargetMode="External"')
    parts = {
        "[Content_Types].xml": _TYPES.encode(),
        "_rels/.rels": (_RELATIONS % ("word/document.xml", "officeDocument", "")).encode(),
        "word/_rels/document.xml.rels": (_RELATIONS % (target, "image", mode)).encode(),
        "word/document.xml": (_XML + doctype + _DOCUMENT % body).encode(),
        "word/styles.xml": _STYLES.encode(),
        "word/media/x.png": PIXEL,
        **(files or {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


REPORT = docx(paragraph("Annual report", "Heading1"), paragraph("Sales rose in spring."))
