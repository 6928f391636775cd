"""`client.projects`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ... import types
from ..._methods.conversation import ConversationService
from ..._options import CallOptions
from ..pages import Pager
from ..resource import Resource


class Projects(Resource):
    """`client.projects`: groups of conversations."""

    def create(
        self,
        *,
        display_name: str | None = None,
        instructions: str | None = None,
        collections: Sequence[str] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.conversation.Project:
        """Makes a project, which groups conversations.

        Args:
            display_name: The name for people.
            instructions: Instructions to the model for conversations that have none.
            collections: The collections of conversations that are bound to none.
        """
        return self._calls.unary(
            ConversationService.CREATE_PROJECT,
            {
                "project.display_name": display_name,
                "project.instructions": instructions,
                "project.collections": collections,
            },
            call_options,
        )

    def get(self, project: str, **call_options: Unpack[CallOptions]) -> types.conversation.Project:
        """Returns one project.

        Args:
            project: The id of the project.
        """
        return self._calls.unary(ConversationService.GET_PROJECT, {"project": project}, call_options)

    def list(
        self, *, page_size: int | None = None, **call_options: Unpack[CallOptions]
    ) -> Pager[types.conversation.Project]:
        """Returns the projects, page by page, the newest first.

        Args:
            page_size: The most projects to return: 50 if it is 0, and never more than 1000.
        """
        return self._calls.pages(ConversationService.LIST_PROJECTS, "projects", {"page_size": page_size}, call_options)

    def update(
        self,
        project: str,
        *,
        display_name: str | None = None,
        instructions: str | None = None,
        collections: Sequence[str] | None = None,
        etag: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.conversation.Project:
        """Changes the fields of a project that are given.

        Args:
            project: The id.
            display_name: The name for people.
            instructions: Instructions to the model for conversations that have none.
            collections: The collections of conversations that are bound to none.
            etag: What an update expects to find; the value of a read project. Another one is refused with
                ABORTED.
        """
        return self._calls.unary(
            ConversationService.UPDATE_PROJECT,
            {
                "project.id": project,
                "project.display_name": display_name,
                "project.instructions": instructions,
                "project.collections": collections,
                "project.etag": etag,
            },
            call_options,
        )

    def delete(self, project: str, *, force: bool | None = None, **call_options: Unpack[CallOptions]) -> None:
        """Deletes a project. It is refused if the project has conversations, unless `force` is set.

        Args:
            project: The id of the project.
            force: Whether to delete its conversations too.
        """
        self._calls.unary(ConversationService.DELETE_PROJECT, {"project": project, "force": force}, call_options)
