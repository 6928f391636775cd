"""Server-Sent Events, split wherever the network splits them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer_services.ai.models.upstream.events import EventReader, TooLong

FORMS = {
    "as OpenAI sends them": b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n',
    "lines end in \\r\\n": b'data: {"a": 1}\r\n\r\ndata: {"b": 2}\r\n\r\ndata: [DONE]\r\n\r\n',
    "lines end in \\r": b'data: {"a": 1}\r\rdata: {"b": 2}\r\rdata: [DONE]\r\r',
    "a byte order mark": b'\xef\xbb\xbfdata: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n',
    "no space": b'data:{"a": 1}\n\ndata:{"b": 2}\n\ndata:[DONE]\n\n',
    "other fields": b': ping\n\nevent: x\ndata: {"a": 1}\nid: 3\n\n: ping\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n',
    "empty lines more": b'\n\n\ndata: {"a": 1}\n\n\n\n\ndata: {"b": 2}\n\n\ndata: [DONE]\n\n\n',
    "no empty line at the end": b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n',
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
@given(data=st.data())
def test_events_are_found_in_pieces_of_any_size(text: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    reader, found = EventReader(1000), list[bytes]()
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += reader.feed(text[start:end])
    assert [*found, *reader.end()] == [b'{"a": 1}', b'{"b": 2}', b"[DONE]"]


def test_data_of_several_lines_is_joined() -> None:
    assert EventReader(1000).feed(b'data: {"a":\ndata: 1}\n\n') == [b'{"a":\n1}']


def test_an_event_without_an_end_is_refused() -> None:
    reader = EventReader(1000)
    for _ in range(2):
        reader.feed(b"data: " + b"x" * 900)
    with pytest.raises(TooLong):
        reader.feed(b"x")
