"""ALTO 4: XML with the places of words, a standard of libraries and archives.

Lengths are in 1/1200 inch, which needs no resolution.
"""

from __future__ import annotations

from ..page.layout import Block, Box, Line
from ..page.raster import POINTS
from .escape import escape
from .page import OutputPage

_SCALE = 1200 / POINTS
_SPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="{_SPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{_SPACE} \
http://www.loc.gov/standards/alto/v4/alto-4-4.xsd" SCHEMAVERSION="4.4">
 <Description>
  <MeasurementUnit>inch1200</MeasurementUnit>
  <Processing ID="processing_1">
   <processingCategory>contentGeneration</processingCategory>
   <processingSoftware><softwareName>artificer.ocr.v1</softwareName></processingSoftware>
  </Processing>
 </Description>
 <Layout>
"""


class Alto:
    media_type = "application/alto+xml; charset=utf-8"
    head = _HEAD
    between = ""
    tail = " </Layout>\n</alto>\n"

    def page(self, page: OutputPage) -> str:
        layout = page.layout
        size = f'WIDTH="{_length(layout.width)}" HEIGHT="{_length(layout.height)}"'
        blocks = "".join(_block(block, f"{page.number}_{i}") for i, block in enumerate(layout.blocks, 1))
        return (
            f'  <Page ID="page_{page.number}" PHYSICAL_IMG_NR="{page.number}" {size}>\n'
            f'   <PrintSpace HPOS="0" VPOS="0" {size}>\n{blocks}   </PrintSpace>\n  </Page>\n'
        )


def _block(block: Block, name: str) -> str:
    lines = "".join(_line(line, f"{name}_{i}") for i, line in enumerate(block.lines, 1))
    if not lines:
        return ""
    return f'    <TextBlock ID="block_{name}" {_place(block.box)}>\n{lines}    </TextBlock>\n'


def _line(line: Line, name: str) -> str:
    strings = []
    previous: Box | None = None
    for number, word in enumerate(line.words, 1):
        text = escape(word.text)
        if not text:
            continue
        if previous is not None:
            strings.append(_gap(previous, word.box))
        styles = [style for style, has in (("bold", word.bold), ("italics", word.italic)) if has]
        style = f' STYLE="{" ".join(styles)}"' if styles else ""
        strings.append(
            f'      <String ID="word_{name}_{number}" {_place(word.box)} WC="{word.confidence:.4g}"{style}'
            f' CONTENT="{text}"/>\n'
        )
        previous = word.box
    if not strings:
        return ""
    return f'     <TextLine ID="line_{name}" {_place(line.box)}>\n{"".join(strings)}     </TextLine>\n'


def _gap(before: Box, after: Box) -> str:
    """The space between two words, which follow one another in either direction."""
    left, right = (before.right, after.left) if before.left <= after.left else (after.right, before.left)
    return f'      <SP HPOS="{_length(left)}" VPOS="{_length(before.top)}" WIDTH="{_length(max(right - left, 0))}"/>\n'


def _place(box: Box) -> str:
    left, top = _length(box.left), _length(box.top)
    width, height = _length(box.right - box.left), _length(box.bottom - box.top)
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{width}" HEIGHT="{height}"'


def _length(points: float) -> int:
    return round(points * _SCALE)
