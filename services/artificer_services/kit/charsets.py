"""Finds the encoding that a client states for a text.

Pure. Knows no service.
"""

from __future__ import annotations

import codecs

# A list, since some of Python's codecs are no charsets, or slow on bad input.
_CHARSETS = frozenset(
    {
        *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "koi8-r", "koi8-u"),
        *("iso8859-1", "iso8859-2", "iso8859-5", "iso8859-7", "iso8859-9", "iso8859-15"),
        *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257"),
        *("shift_jis", "cp932", "euc_jp", "gb2312", "gbk", "gb18030", "big5", "euc_kr"),
    }
)


def charset_of(content_type: str) -> str:
    """Returns Python's name of a media type's charset, "" if it states none. Raises ValueError for an unknown one."""
    for parameter in content_type.split(";")[1:9]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() != "charset":
            continue
        value = value.strip(" \"'")[:32]
        try:
            charset = codecs.lookup(value).name
        except (LookupError, ValueError):
            charset = ""
        if charset not in _CHARSETS:
            raise ValueError(f"unknown charset {value!r}; expected one such as utf-8 or windows-1252")
        return charset
    return ""
