"""example.notes.v1.NotesService for gRPC: proto to engine and back. Decides nothing."""

from __future__ import annotations

from example.notes.v1 import notes_service_pb2 as pb
from example.notes.v1 import notes_service_pb2_grpc as rpc

from artificer_services.kit.statuses import Context, Statuses

from .engine import Notes
from .store import Note

STATUSES = Statuses("notes.example")


class NotesServicer(rpc.NotesServiceServicer):
    """Serves NotesService from Notes."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def CreateNote(self, request: pb.CreateNoteRequest, context: Context) -> pb.Note:
        async with STATUSES.abort_on_error(context):
            return _note_out(await self._notes.create(request.text))

    async def GetNote(self, request: pb.GetNoteRequest, context: Context) -> pb.Note:
        async with STATUSES.abort_on_error(context):
            return _note_out(await self._notes.get(request.id))

    async def ListNotes(self, request: pb.ListNotesRequest, context: Context) -> pb.ListNotesResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._notes.page(request.page_size, request.page_token)
        return pb.ListNotesResponse(notes=map(_note_out, found), next_page_token=token)


def _note_out(note: Note) -> pb.Note:
    made = pb.Note(id=note.id, text=note.text)
    made.create_time.FromDatetime(note.created)
    return made
