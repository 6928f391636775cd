"""The errors of collections and documents, beside `Invalid` and `NotFound` of the kit."""

from __future__ import annotations

from ...kit.errors import Kind, NotFound, ServiceError


class Taken(ServiceError):
    """A collection or document of this id exists."""

    kind = Kind.ALREADY_EXISTS
    reason = "ID_IN_USE"


class NotEmpty(ServiceError):
    """The collection has documents, and the request does not say that they go too."""

    kind = Kind.FAILED_PRECONDITION
    reason = "COLLECTION_NOT_EMPTY"


class Full(ServiceError):
    """There are as many collections, or documents in one, as the server's settings allow."""

    kind = Kind.FAILED_PRECONDITION
    reason = "COLLECTION_FULL"


class Reindexing(ServiceError):
    """The collection is being indexed again for another model."""

    kind = Kind.FAILED_PRECONDITION
    reason = "COLLECTION_REINDEXING"


class OtherSpace(ServiceError):
    """The vectors of a model have another dimension than those in the collection."""

    kind = Kind.FAILED_PRECONDITION
    reason = "OTHER_VECTOR_SPACE"


class ModelGone(ServiceError):
    """The server's settings do not have the collection's model any more."""

    kind = Kind.FAILED_PRECONDITION
    reason = "COLLECTION_MODEL_GONE"

    def __init__(self, model: str) -> None:
        text = f"the collection's model {model!r} is not in the server's settings any more"
        super().__init__(f"{text}; search by words, or index the collection again with another embedding_model")


class TooLarge(ServiceError):
    """The vectors of a collection do not fit into the memory that the server's settings give to them."""

    kind = Kind.FAILED_PRECONDITION
    reason = "INDEX_TOO_LARGE"

    def __init__(self, collection: str, size: int, most: int) -> None:
        text = f"the vectors of the collection {collection!r} take {size:,} bytes, and the server allows {most:,}"
        super().__init__(f"{text}; search by words, or ask the operator to raise max_index_bytes")


class NoPgvector(ServiceError):
    """The settings ask for pgvector, and the database has not got it."""

    kind = Kind.FAILED_PRECONDITION
    reason = "NO_PGVECTOR"

    def __init__(self) -> None:
        text = (
            "the settings say vectors = pgvector, but this PostgreSQL had no extension `vector` of version 0.8 or later"
        )
        super().__init__(f"{text} when the tables were made, or the role must not create it")


class Lost(ServiceError):
    """What was written is gone: its lease ran out, or its collection was deleted."""

    kind = Kind.UNAVAILABLE
    retry_seconds = 1.0


class ModelChanged(Exception):
    """The collection got another model while a document was written; the document has to be written again."""


def no_collection(id_: str) -> NotFound:
    """Returns the error for a collection that does not exist."""
    return NotFound(f"there is no collection {id_[:64]!r}")


def no_document(collection: str, id_: str) -> NotFound:
    """Returns the error for a document that does not exist."""
    return NotFound(f"there is no document {id_[:64]!r} in the collection {collection[:64]!r}")
