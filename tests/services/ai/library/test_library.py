"""What a library keeps and finds, in both databases."""

from __future__ import annotations

import pytest

from artificer_services.ai.library.errors import Full, NotEmpty, Taken
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.values import Mode, Query
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.models.errors import UnknownModel
from artificer_services.kit.errors import Invalid, NotFound

from .conftest import MODELS, Place, add, opened

CATS = "# Animals\n\n## Cats\n\nCats sleep most of the day. A cat purrs when it is content."
DOGS = "# Animals\n\n## Dogs\n\nDogs bark at strangers. A dog wags its tail when it is happy."


async def filled(library: Library) -> None:
    await library.create_collection("pets")
    await add(library, "pets", "cats", CATS, metadata={"kind": "cat", "year": "2024"}, display_name="On cats")
    await add(library, "pets", "dogs", DOGS, metadata={"kind": "dog", "year": "2024"})


async def found(library: Library, text: str, mode: Mode = Mode.HYBRID, **more: object) -> list[str]:
    return [one.document for one in await library.retrieve(["pets"], Query(text=text, mode=mode, **more))]  # type: ignore[arg-type]


async def test_a_collection_has_the_sizes_and_the_model_that_were_asked_for(library: Library) -> None:
    made = await library.create_collection("a", display_name="A", embedding_model="small", chunk_tokens=64)
    assert (made.id, made.display_name, made.embedding_model, made.dimension) == ("a", "A", "small", 32)
    assert (made.chunk_tokens, made.chunk_overlap, made.document_count, made.chunk_count) == (64, 8, 0, 0)
    assert await library.collection("a") == made
    other = await library.create_collection()
    assert (other.embedding_model, other.chunk_tokens, other.chunk_overlap) == ("words", 256, 32)
    with pytest.raises(Taken):
        await library.create_collection("a")


async def test_a_document_is_found_by_words_by_vectors_and_by_both(library: Library) -> None:
    await filled(library)
    for mode in Mode:
        assert (await found(library, "Why does a cat purr and sleep?", mode))[0] == "cats"
        assert (await found(library, "dogs that bark", mode))[0] == "dogs"


async def test_a_passage_tells_where_its_text_is(library: Library) -> None:
    await filled(library)
    (passage,) = await library.retrieve(["pets"], Query(text="purrs", mode=Mode.WORDS))
    assert (passage.collection, passage.document, passage.document_name) == ("pets", "cats", "On cats")
    assert passage.metadata == {"kind": "cat", "year": "2024"}
    assert passage.chunk.headings == ("Animals", "Cats")
    assert CATS[passage.chunk.span.start : passage.chunk.span.end] == passage.chunk.text
    assert passage.similarity is None
    assert passage.score > 0


async def test_vector_search_gives_cosines_and_the_model(library: Library) -> None:
    await filled(library)
    passages, model = await library.search("pets", text=CATS)
    assert model == "words"
    assert [one.document for one in passages] == ["cats", "dogs"]
    assert passages[0].score == passages[0].similarity == pytest.approx(1.0, abs=1e-5)
    assert (await library.search("pets", text=CATS, min_score=0.99))[0] == passages[:1]
    assert (await library.search("pets", text=CATS, top_k=1))[0] == passages[:1]
    assert not (await library.search("pets", text=CATS, filter={"kind": "bird"}))[0]


async def test_a_vector_of_the_client_need_not_have_the_length_1(library: Library) -> None:
    await filled(library)
    by_text, _ = await library.search("pets", text="cats")
    (vector,) = (await Models(MODELS).embed("words", ["cats"])).vectors
    by_vector, _ = await library.search("pets", vector=[float(value) * 1e30 for value in vector])
    assert [one.document for one in by_vector] == [one.document for one in by_text]
    assert by_vector[0].score == pytest.approx(by_text[0].score, abs=1e-6)


@pytest.mark.parametrize("mode", Mode)
async def test_a_filter_lets_only_documents_through_that_have_all_its_metadata(library: Library, mode: Mode) -> None:
    await filled(library)
    assert await found(library, "a cat or a dog", mode, filter={"kind": "dog"}) == ["dogs"]
    assert await found(library, "a cat or a dog", mode, filter={"kind": "dog", "year": "2024"}) == ["dogs"]
    assert not await found(library, "a cat or a dog", mode, filter={"kind": "dog", "year": "2023"})


async def test_a_replaced_document_is_found_by_its_new_text_only(library: Library) -> None:
    await filled(library)
    assert await found(library, "purrs", Mode.WORDS) == ["cats"]
    assert await found(library, "purrs", Mode.VECTORS)
    with pytest.raises(Taken):
        await add(library, "pets", "cats", "Cats hunt mice.")
    await add(library, "pets", "cats", "Cats hunt mice.", replace=True)
    assert not await found(library, "purrs", Mode.WORDS)
    assert await found(library, "mice", Mode.WORDS) == ["cats"]
    passages, _ = await library.search("pets", text="Cats hunt mice.")
    assert (passages[0].document, passages[0].chunk.text) == ("cats", "Cats hunt mice.")
    assert len(passages) == 2
    kept = await library.collection("pets")
    assert (kept.document_count, kept.chunk_count) == (2, 2)


async def test_a_deleted_document_is_not_found(library: Library) -> None:
    await filled(library)
    assert len(await found(library, "cats and dogs", Mode.VECTORS)) == 2
    await library.delete_document("pets", "cats")
    for mode in Mode:
        assert "cats" not in await found(library, "cats", mode)
    with pytest.raises(NotFound):
        await library.document("pets", "cats")
    with pytest.raises(NotFound):
        await library.delete_document("pets", "cats")
    assert (await library.collection("pets")).document_count == 1


async def test_a_collection_with_documents_is_deleted_only_by_force(library: Library) -> None:
    await filled(library)
    with pytest.raises(NotEmpty):
        await library.delete_collection("pets")
    await library.delete_collection("pets", force=True)
    with pytest.raises(NotFound):
        await library.collection("pets")
    await library.create_collection("pets")
    assert not await found(library, "cats")


async def test_pages_of_a_list_are_sorted_and_complete(library: Library) -> None:
    await library.create_collection("pets")
    ids = ["b.2", "a", "c_1", "d-4", "b"]
    for id_ in ids:
        await add(library, "pets", id_, f"text {id_}")
        await library.create_collection(f"x{id_}")
    seen, token = [], ""
    while True:
        documents, token = await library.documents("pets", 2, token)
        seen += [one.id for one in documents]
        if not token:
            break
    assert seen == sorted(ids)
    first, token = await library.collections(3)
    rest, end = await library.collections(1000, token)
    assert [one.id for one in (*first, *rest)] == sorted(["pets", *(f"x{id_}" for id_ in ids)])
    assert end == ""
    with pytest.raises(Invalid):
        await library.documents("pets", 2, token)


async def test_chunks_are_listed_in_their_order(library: Library) -> None:
    await library.create_collection("pets", chunk_tokens=32, chunk_overlap=0)
    text = " ".join(f"Sentence number {number} ends here." for number in range(60))
    await add(library, "pets", "long", text)
    document = await library.document("pets", "long")
    chunks, token = await library.chunks("pets", "long", 3)
    while token:
        more, token = await library.chunks("pets", "long", 3, token)
        chunks += more
    assert document.chunk_count == len(chunks) > 6
    assert [one.index for one in chunks] == list(range(len(chunks)))
    assert " ".join(one.text for one in chunks) == text


async def test_several_collections_are_searched_together_each_by_its_model(library: Library) -> None:
    await library.create_collection("one", embedding_model="words")
    await library.create_collection("two", embedding_model="small")
    await library.create_collection("empty")
    await add(library, "one", "cats", CATS)
    await add(library, "two", "dogs", DOGS)
    for mode in Mode:
        passages = await library.retrieve(["one", "two", "empty"], Query(text="cats sleep dogs bark", mode=mode))
        assert {(one.collection, one.document) for one in passages} == {("one", "cats"), ("two", "dogs")}


SYNTAX = [
    *('"', "AND", "cat* OR (dog", "body : cat", "-cat", "^cat", "NEAR(a b)", "cat:*"),
    *("a & b | !c", "'; DROP TABLE rag_chunks; --", "?!…", "\0\ud800"),
]


@pytest.mark.parametrize("text", SYNTAX)
async def test_no_query_is_read_as_the_databases_syntax(library: Library, text: str) -> None:
    await filled(library)
    for mode in Mode:
        await found(library, text, mode)
    assert (await library.collection("pets")).document_count == 2


async def test_words_match_without_case_and_accents_and_in_scripts_without_spaces(library: Library) -> None:
    await library.create_collection("pets")
    await add(library, "pets", "fr", "Les ÉLÈVES mangent une crème brûlée à Noël.")
    await add(library, "pets", "jp", "東京都は日本の首都です。")
    await add(library, "pets", "hi", "हिन्दी भारत की भाषा है।")
    assert await found(library, "creme brulee", Mode.WORDS) == ["fr"]
    assert await found(library, "élèves", Mode.WORDS) == ["fr"]
    assert await found(library, "東京", Mode.WORDS) == ["jp"]
    assert not await found(library, "京東", Mode.WORDS)
    assert await found(library, "भारत", Mode.WORDS) == ["hi"]


async def test_stop_words_are_looked_for_only_where_there_are_no_others(library: Library) -> None:
    await filled(library)
    await add(library, "pets", "the", "The the of the.")
    assert await found(library, "Where is the cat?", Mode.WORDS) == ["cats"]
    assert (await found(library, "the of", Mode.WORDS))[0] == "the"
    assert not await found(library, "?!", Mode.WORDS)


async def test_limits_are_kept(place: Place) -> None:
    limits = {"max_collections": 1, "max_documents": 1, "max_document_bytes": 100, "max_chunks": 2, "max_metadata": 1}
    async with opened(place, **limits) as library:
        await library.create_collection("pets", chunk_tokens=32, chunk_overlap=0)
        with pytest.raises(Full):
            await library.create_collection("more")
        with pytest.raises(Invalid, match="101 bytes"):
            await add(library, "pets", "long", "x" * 101)
        with pytest.raises(Invalid, match="chunks"):
            await add(library, "pets", "long", "a! " * 33)
        with pytest.raises(Invalid, match="metadata"):
            await add(library, "pets", "one", "text", metadata={"a": "b", "c": "d"})
        await add(library, "pets", "one", "text")
        with pytest.raises(Full):
            await add(library, "pets", "two", "text")
        await add(library, "pets", "one", "other text", replace=True)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda it: it.create_collection("../up"), "collection_id"),
        (lambda it: it.create_collection("a" * 65), "collection_id"),
        (lambda it: it.create_collection(chunk_tokens=31), "chunk_tokens"),
        (lambda it: it.create_collection(chunk_tokens=64, chunk_overlap=33), "chunk_overlap"),
        (lambda it: it.create_collection(display_name="a\nb"), "collection.display_name"),
        (lambda it: it.add_document("pets", b""), "data"),
        (lambda it: it.add_document("pets", b"  \n "), "data"),
        (lambda it: it.add_document("pets", b"x", document_id="a b"), "document_id"),
        (lambda it: it.add_document("pets", b"x", metadata={"": "b"}), "metadata['']"),
        (lambda it: it.add_document("pets", b"x", metadata={"a": "b" * 513}), "metadata['a']"),
        (lambda it: it.retrieve(["pets"], Query(text=" ")), "query"),
        (lambda it: it.retrieve(["pets"], Query(text="a" * 8193)), "query"),
        (lambda it: it.retrieve(["pets"], Query(text="a", top_k=0)), "top_k"),
        (lambda it: it.retrieve(["pets"], Query(text="a", top_k=101)), "top_k"),
        (lambda it: it.retrieve([], Query(text="a")), "collection"),
        (lambda it: it.search("pets", vector=[1.0]), "vector"),
        (lambda it: it.search("pets", vector=[0.0] * 64), "vector"),
        (lambda it: it.search("pets", vector=[float("nan")] * 64), "vector"),
        (lambda it: it.search("pets"), "text"),
        (lambda it: it.search("pets", text="a", min_score=2.0), "min_score"),
        (lambda it: it.search("pets", text="a", top_k=1001), "top_k"),
        (lambda it: it.documents("pets", -1), "page_size"),
        (lambda it: it.documents("pets", 1, "x"), "page_token"),
        (lambda it: it.chunks("pets", "one", 1, "x"), "page_token"),
        (lambda it: it.collection(""), "collection"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(library: Library, call: object, field: str) -> None:
    await library.create_collection("pets")
    await add(library, "pets", "one", "text")
    with pytest.raises(Invalid) as raised:
        await call(library)  # type: ignore[operator]
    assert [fault.field for fault in raised.value.faults] == [field]


async def test_what_does_not_exist_is_not_found(library: Library) -> None:
    await library.create_collection("pets")
    for call in (
        library.collection("none"),
        library.add_document("none", b"text"),
        library.retrieve(["pets", "none"], Query(text="a")),
        library.search("none", text="a"),
        library.document("pets", "none"),
        library.chunks("pets", "none"),
        library.reindex_document("pets", "none"),
        library.reindex_collection("none"),
    ):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(UnknownModel):
        await library.create_collection(embedding_model="none")
