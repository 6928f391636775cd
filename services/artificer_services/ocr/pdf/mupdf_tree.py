"""Counts the pages of a damaged document through PyMuPDF, as viewers do.

MuPDF believes the `Count` of a page tree (ISO 32000-1, 7.7.3.2) and fails if it is impossible.
"""

from __future__ import annotations

from typing import Any

import pymupdf as untyped_pymupdf

pymupdf: Any = untyped_pymupdf  # only partly annotated
mupdf: Any = pymupdf.mupdf

_MOST_DECLARED = 0xFFFFF  # pages; PDFium believes no larger count either
_DEEPEST = 100  # levels of a tree; writers make three or four


def count_pages(document: Any) -> int:
    """Returns the number of pages of a document, after its tree is mended if the count of it is impossible.

    A count that may be true is believed even if pages are missing, as in a document whose end is lost: the missing
    ones are damaged pages. Raises what MuPDF raises.
    """
    pdf = mupdf.pdf_document_from_fz_document(document)
    pages = _pages(pdf)
    if not mupdf.pdf_is_dict(pages):  # the trailer or the catalog is damaged; the catalog may be elsewhere
        mupdf.pdf_repair_xref(pdf)
        pages = _pages(pdf)
    count = mupdf.pdf_dict_gets(pages, "Count")
    declared = mupdf.pdf_to_int(count) if mupdf.pdf_is_int(count) else 0
    possible = max(_length(mupdf.pdf_dict_gets(pages, "Kids")), 1) <= declared <= _MOST_DECLARED
    if possible:
        try:
            return int(document.page_count)
        except RuntimeError:  # there are fewer objects than pages
            pass
    found = _mend(pdf, pages)
    return declared if possible else found


def is_lost(document: Any, index: int) -> bool:
    """Whether a page or its content is not in the file; MuPDF shows nothing then."""
    pdf = mupdf.pdf_document_from_fz_document(document)
    page = mupdf.pdf_lookup_page_obj(pdf, index)
    if not mupdf.pdf_is_dict(page):
        return True
    # Some writers refer to an absent content on empty pages, but in a file that was cut off it is lost.
    content = mupdf.pdf_dict_gets(page, "Contents")
    known = mupdf.pdf_is_stream(content) or mupdf.pdf_is_array(content)
    return bool(document.is_repaired and mupdf.pdf_is_indirect(content) and not known)


def mend_sizes(document: Any, index: int) -> None:
    """Remove what leaves nothing of a page in MuPDF: a crop box off the page, and a unit of 0."""
    pdf = mupdf.pdf_document_from_fz_document(document)
    page = mupdf.pdf_lookup_page_obj(pdf, index)
    crop, media = (mupdf.pdf_dict_gets_inheritable(page, key) for key in ("CropBox", "MediaBox"))
    if mupdf.pdf_is_array(crop) and mupdf.pdf_is_array(media):
        shown = mupdf.fz_intersect_rect(mupdf.pdf_to_rect(crop), mupdf.pdf_to_rect(media))
        if mupdf.fz_is_empty_rect(shown):
            mupdf.pdf_dict_puts(page, "CropBox", media)
    unit = mupdf.pdf_dict_gets(page, "UserUnit")
    if mupdf.pdf_is_number(unit) and mupdf.pdf_to_real(unit) <= 0:
        mupdf.pdf_dict_dels(page, "UserUnit")


def _pages(pdf: Any) -> Any:
    return mupdf.pdf_dict_gets(mupdf.pdf_dict_gets(mupdf.pdf_trailer(pdf), "Root"), "Pages")


def _length(array: Any) -> int:
    return int(mupdf.pdf_array_len(array)) if mupdf.pdf_is_array(array) else 0


def _mend(pdf: Any, pages: Any) -> int:
    """Replace a page tree by a list of the pages in it, without what would make it endless; returns their number."""
    seen: set[int] = set()
    found = mupdf.pdf_new_array(pdf, 16)

    def collect(node: Any, level: int) -> None:
        kids, number = mupdf.pdf_dict_gets(node, "Kids"), mupdf.pdf_to_num(node)
        if not mupdf.pdf_is_array(kids):
            if mupdf.pdf_is_dict(node) and level:
                mupdf.pdf_array_push(found, node)
            return
        if number not in seen and level <= _DEEPEST:
            seen.add(number)
            for index in range(_length(kids)):
                collect(mupdf.pdf_array_get(kids, index), level + 1)

    collect(pages, 0)
    mupdf.pdf_dict_puts(pages, "Kids", found)
    mupdf.pdf_dict_puts(pages, "Count", mupdf.pdf_new_int(_length(found)))
    return _length(found)
