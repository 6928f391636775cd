"""Counts the forms that a PDF page draws, without drawing them: a form that draws others multiplies.

An estimate that refuses the usual bomb at once; `processor_time` bounds what it misses, such as patterns in patterns.
Pure: knows no PDF library.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

MOST = 200_000  # forms of one page; measured, PDF libraries draw some 50,000 empty ones a second

PAGE = 0  # the number under which a page is a user of forms

# `/name Do` (ISO 32000-1, 8.8), with white space or comments in between (7.2.3). A comment goes to the end of its line
# and has a limit: otherwise a line of comment signs or of names takes for ever.
_USE = re.compile(
    rb"/([^\x00\t\n\f\r ()<>\[\]{}/%]+)(?:[\x00\t\n\f\r ]|%[^\r\n]{0,500}[\r\n])*Do(?![^\x00\t\n\f\r ()<>\[\]{}/%])"
)
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")


def forms_drawn(uses: Mapping[int, Mapping[bytes, int]], content: Callable[[int], bytes]) -> int:
    """Returns how many forms a page draws, `MOST` + 1 if there are more.

    `uses` are the forms that the page and each form may draw, by name; `content` returns the operators of one of them.
    A form without resources of its own uses those of the page. A form that draws itself is counted once: no library
    follows it.
    """
    known: dict[int, int] = {}

    def drawn(user: int, above: frozenset[int]) -> int:
        if user in known:
            return known[user]
        forms, total = uses.get(user) or uses.get(PAGE, {}), 0
        for name, times in Counter(_USE.findall(content(user))).items():
            form = forms.get(_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), name))
            if form is not None and form not in above:
                total += times * (1 + drawn(form, above | {form}))
            if total > MOST:
                total = MOST + 1
                break
        known[user] = total
        return total

    return drawn(PAGE, frozenset())
