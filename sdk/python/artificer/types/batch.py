"""Models of artificer.batch.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal, TypeAlias

from . import base

__all__ = [
    "AttachRequest",
    "AttachResponse",
    "Blob",
    "CancelJobRequest",
    "Command",
    "CommandName",
    "CommandRefusal",
    "CommandResult",
    "CreateJobRequest",
    "GetJobRequest",
    "GetResultsRequest",
    "GetResultsResponse",
    "Item",
    "ItemStatus",
    "ItemStatusName",
    "Job",
    "JobOptions",
    "JobStatus",
    "JobStatusName",
    "ListJobsRequest",
    "ListJobsResponse",
    "ListTaskTypesRequest",
    "ListTaskTypesResponse",
    "LogEntry",
    "LogLevel",
    "LogLevelName",
    "PauseJobRequest",
    "Phase",
    "Progress",
    "Result",
    "ResumeJobRequest",
    "StartJobRequest",
    "StreamLogsRequest",
    "StreamProgressRequest",
    "StreamResultsRequest",
    "TaskType",
    "UploadBlobRequest",
    "UploadItemsRequest",
    "UploadItemsResponse",
    "Validation",
]


class JobStatus(base.OpenEnum):
    """The state of a job."""

    UNSPECIFIED = "JOB_STATUS_UNSPECIFIED"
    """Not set."""
    PENDING = "JOB_STATUS_PENDING"
    """The job is waiting to be started."""
    RUNNING = "JOB_STATUS_RUNNING"
    """The job is running."""
    PAUSED = "JOB_STATUS_PAUSED"
    """The job is paused: no further item is started."""
    COMPLETED = "JOB_STATUS_COMPLETED"
    """Every item has ended, and at least one of them completed."""
    FAILED = "JOB_STATUS_FAILED"
    """Every item has failed."""
    CANCELLED = "JOB_STATUS_CANCELLED"
    """The job was cancelled."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "JOB_STATUS_UNSPECIFIED": 0,
            "JOB_STATUS_PENDING": 1,
            "JOB_STATUS_RUNNING": 2,
            "JOB_STATUS_PAUSED": 3,
            "JOB_STATUS_COMPLETED": 4,
            "JOB_STATUS_FAILED": 5,
            "JOB_STATUS_CANCELLED": 6,
        }


JobStatusName: TypeAlias = Literal["pending", "running", "paused", "completed", "failed", "cancelled"]
"""The names of JobStatus in arguments of methods."""


class ItemStatus(base.OpenEnum):
    """The state of an item."""

    UNSPECIFIED = "ITEM_STATUS_UNSPECIFIED"
    """Not set."""
    PENDING = "ITEM_STATUS_PENDING"
    """The item is waiting for its next phase."""
    RUNNING = "ITEM_STATUS_RUNNING"
    """A worker is processing the item."""
    COMPLETED = "ITEM_STATUS_COMPLETED"
    """The item completed all phases."""
    FAILED = "ITEM_STATUS_FAILED"
    """The item failed."""
    CANCELLED = "ITEM_STATUS_CANCELLED"
    """The job was cancelled before the item was completed."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "ITEM_STATUS_UNSPECIFIED": 0,
            "ITEM_STATUS_PENDING": 1,
            "ITEM_STATUS_RUNNING": 2,
            "ITEM_STATUS_COMPLETED": 3,
            "ITEM_STATUS_FAILED": 4,
            "ITEM_STATUS_CANCELLED": 5,
        }


ItemStatusName: TypeAlias = Literal["pending", "running", "completed", "failed", "cancelled"]
"""The names of ItemStatus in arguments of methods."""


class Command(base.OpenEnum):
    """An action on a job."""

    UNSPECIFIED = "COMMAND_UNSPECIFIED"
    """No command."""
    START = "COMMAND_START"
    """Start the job, as StartJob does."""
    PAUSE = "COMMAND_PAUSE"
    """Pause the job, as PauseJob does."""
    RESUME = "COMMAND_RESUME"
    """Resume the job, as ResumeJob does."""
    CANCEL = "COMMAND_CANCEL"
    """Cancel the job, as CancelJob does."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "COMMAND_UNSPECIFIED": 0,
            "COMMAND_START": 1,
            "COMMAND_PAUSE": 2,
            "COMMAND_RESUME": 3,
            "COMMAND_CANCEL": 4,
        }


CommandName: TypeAlias = Literal["start", "pause", "resume", "cancel"]
"""The names of Command in arguments of methods."""


class LogLevel(base.OpenEnum):
    """The severity of a line of a log."""

    UNSPECIFIED = "LOG_LEVEL_UNSPECIFIED"
    """Unknown."""
    DEBUG = "LOG_LEVEL_DEBUG"
    """Details for debugging."""
    INFO = "LOG_LEVEL_INFO"
    """Normal operation."""
    WARNING = "LOG_LEVEL_WARNING"
    """A problem that does not stop the work."""
    ERROR = "LOG_LEVEL_ERROR"
    """A failure."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "LOG_LEVEL_UNSPECIFIED": 0,
            "LOG_LEVEL_DEBUG": 1,
            "LOG_LEVEL_INFO": 2,
            "LOG_LEVEL_WARNING": 3,
            "LOG_LEVEL_ERROR": 4,
        }


LogLevelName: TypeAlias = Literal["debug", "info", "warning", "error"]
"""The names of LogLevel in arguments of methods."""


class CreateJobRequest(base.Model):
    """A job to create."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.CreateJobRequest"

    name: str = ""
    """The display name of the job."""
    project_id: str = ""
    """The project that the job belongs to."""
    items: list[Item] = []
    """The items. UploadItems can add more while the job is pending."""
    phases: list[Phase] = []
    """The phases, in the order in which items go through them."""
    options: JobOptions | None = None
    """The options of the job."""
    request_id: str = ""
    """An id chosen by the caller, such as a UUID, so that a repeated request creates only one job. A different
    request with the same id in the same project is refused with ALREADY_EXISTS. An `idempotency-key` header is
    used if this is empty.
    """


class GetJobRequest(base.Model):
    """GetJobRequest names a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.GetJobRequest"

    job_id: str = ""
    """The id of the job."""


class ListJobsRequest(base.Model):
    """ListJobsRequest selects a page of jobs."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.ListJobsRequest"

    page_size: base.Int32 = 0
    """The maximum number of jobs to return: 50 if it is 0, and never more than 1000."""
    page_token: str = ""
    """The `next_page_token` of the previous page. All other fields except `page_size` must be unchanged."""
    status: list[JobStatus] = []
    """Return only jobs in these states; all states if empty."""
    project_id: str = ""
    """Return only jobs of this project; all projects if empty."""


class ListJobsResponse(base.Model):
    """One page of jobs."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.ListJobsResponse"

    jobs: list[Job] = []
    """The jobs."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class StartJobRequest(base.Model):
    """StartJobRequest names a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.StartJobRequest"

    job_id: str = ""
    """The id of the job."""


class PauseJobRequest(base.Model):
    """PauseJobRequest names a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.PauseJobRequest"

    job_id: str = ""
    """The id of the job."""


class ResumeJobRequest(base.Model):
    """ResumeJobRequest names a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.ResumeJobRequest"

    job_id: str = ""
    """The id of the job."""


class CancelJobRequest(base.Model):
    """CancelJobRequest names a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.CancelJobRequest"

    job_id: str = ""
    """The id of the job."""


class GetResultsRequest(base.Model):
    """GetResultsRequest names a job and selects a page of its items."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.GetResultsRequest"

    job_id: str = ""
    """The id of the job."""
    page_size: base.Int32 = 0
    """The maximum number of items to return: 100 if it is 0, and never more than 1000. A page may have fewer before
    the end of the list when outputs make the response large.
    """
    page_token: str = ""
    """The `next_page_token` of the previous page. All other fields except `page_size` must be unchanged."""
    status: list[ItemStatus] = []
    """Return only items in these states; all states if empty."""


class GetResultsResponse(base.Model):
    """One page of a job's items."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.GetResultsResponse"

    results: list[Result] = []
    """The items."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class StreamProgressRequest(base.Model):
    """StreamProgressRequest names a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.StreamProgressRequest"

    job_id: str = ""
    """The id of the job."""


class UploadItemsRequest(base.Model):
    """UploadItemsRequest carries some of a job's items."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.UploadItemsRequest"

    job_id: str = ""
    """The job to add the items to. It may be empty after the first message of the stream."""
    items: list[Item] = []
    """The items."""
    first_index: base.Int64 | None = None
    """The index of the first of these items. If it is set, items that the job already has are skipped, and a gap is
    refused. If it is absent, the items are appended.
    """


class UploadItemsResponse(base.Model):
    """UploadItemsResponse reports the outcome of a stream of items."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.UploadItemsResponse"

    stored_count: base.Int64 = 0
    """The number of items that this call stored."""
    duplicate_count: base.Int64 = 0
    """The number of items that the job already had."""
    job: Job | None = None
    """The job, with all of its items."""


class UploadBlobRequest(base.Model):
    """One chunk of a blob."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.UploadBlobRequest"

    content: base.HttpBody | None = None
    """The bytes of the chunk. The first chunk carries the media type of the blob."""


class StreamResultsRequest(base.Model):
    """StreamResultsRequest names a job and selects which of its items to send."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.StreamResultsRequest"

    job_id: str = ""
    """The id of the job."""
    status: list[ItemStatus] = []
    """Send only items in these states: COMPLETED, FAILED or CANCELLED; all three if empty."""
    follow: bool = False
    """Whether to keep sending items as they finish, until the job ends."""


class StreamLogsRequest(base.Model):
    """StreamLogsRequest names a job and selects which lines of its log to send."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.StreamLogsRequest"

    job_id: str = ""
    """The id of the job."""
    item_index: base.Int64 | None = None
    """Send only the lines of this item; the whole log if absent."""
    after: str = ""
    """The id of the last line that the caller has received; the stream begins with the next one. A `Last-Event-ID`
    header, which browsers send when they reconnect, takes precedence.
    """
    follow: bool | None = None
    """Whether to keep sending lines as they are written, until the job ends; true if absent."""


class AttachRequest(base.Model):
    """A command to a job; the first one of a stream names the job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.AttachRequest"

    job_id: str = ""
    """The job to attach to. It may be empty after the first message of the stream."""
    command: Command = Command.UNSPECIFIED
    """The command; none if unspecified."""
    include_logs: bool = False
    """Whether to send the job's log as well. Allowed in the first message of the stream only."""


class AttachResponse(base.Model):
    """One event of an Attach call."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.AttachResponse"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {"event": ("progress", "log", "done", "refusal")}

    progress: Progress | None = None
    """The progress of the job. This is the first event of the stream."""
    log: LogEntry | None = None
    """A line of the job's log."""
    done: CommandResult | None = None
    """A command that was carried out, with the job's state after it."""
    refusal: CommandRefusal | None = None
    """A command that was refused."""


class ListTaskTypesRequest(base.Model):
    """ListTaskTypesRequest has no fields."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.ListTaskTypesRequest"


class ListTaskTypesResponse(base.Model):
    """ListTaskTypesResponse lists the task types that phases may use."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.ListTaskTypesResponse"

    task_types: list[TaskType] = []
    """The task types."""


class Item(base.Model):
    """One unit of work of a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.Item"

    input: str = ""
    """The input of the first phase: text, a path, a data URI, or `blob:` and an id, depending on its task type."""
    metadata: dict[str, str] = {}
    """Additional data for tasks."""


class Phase(base.Model):
    """One step that every item of a job goes through."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.Phase"

    name: str = ""
    """The name of the phase, unique in its job."""
    task_type: str = ""
    """The task to run, such as "ocr.extract"; see ListTaskTypes."""
    model: str = ""
    """The model that the task uses, if its type uses models."""
    use_rag: bool = False
    """Whether the task first retrieves passages of the collections that its parameters name, if its type can."""
    validation: Validation | None = None
    """The quality that outputs must reach."""
    parameters: dict[str, str] = {}
    """The parameters of the task, such as the template of "text.template"."""


class Validation(base.Model):
    """The quality that the outputs of a phase must reach."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.Validation"

    enabled: bool = False
    """Whether outputs are validated."""
    min_score: float = 0.0
    """The minimum score, from 0 to 1. An item with a lower score is retried, and fails after the last attempt."""


class JobOptions(base.Model):
    """The options of a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.JobOptions"

    concurrency: base.Int32 = 0
    """The maximum number of workers that run the job at once; the server's default if 0."""
    checkpoint_frequency: base.Int32 = 0
    """How many finished items a worker may hold before it stores them; 1 if 0. After a crash at most this many items
    are processed again; none is lost.
    """
    auto_start: bool = False
    """Whether to start the job as soon as it is created. The request must then have items."""


class Job(base.Model):
    """The current state of a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.Job"

    id: str = ""
    """The id of the job."""
    name: str = ""
    """The display name of the job."""
    project_id: str = ""
    """The project that the job belongs to."""
    status: JobStatus = JobStatus.UNSPECIFIED
    """The state of the job."""
    total_items: base.Int64 = 0
    """The number of items."""
    completed_items: base.Int64 = 0
    """The number of items that completed all phases."""
    failed_items: base.Int64 = 0
    """The number of items that failed."""
    current_phase: str = ""
    """The name of the earliest phase that any item has yet to complete; empty if there is none."""
    cost_incurred: float = 0.0
    """The cost of the job so far, in US dollars."""
    tokens_used: base.Int64 = 0
    """The input and output tokens of models so far."""
    create_time: base.Timestamp | None = None
    """When the job was created."""
    start_time: base.Timestamp | None = None
    """When the job was started."""
    complete_time: base.Timestamp | None = None
    """When the job ended."""
    phases: list[Phase] = []
    """The phases."""
    options: JobOptions | None = None
    """The options of the job."""


class Result(base.Model):
    """An item and its outcome."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.Result"

    item_index: base.Int64 = 0
    """The index of the item in its job, counted from 0."""
    input: str = ""
    """The input of the first phase."""
    output: str = ""
    """The output of the last phase, once the item is completed."""
    status: ItemStatus = ItemStatus.UNSPECIFIED
    """The state of the item."""
    phase_outputs: dict[str, str] = {}
    """The outputs of the completed phases, by phase name."""
    error: str = ""
    """Why the item failed, or why it is being retried."""
    attempts: base.Int32 = 0
    """How often the item's current phase has been started."""
    metadata: dict[str, str] = {}
    """Additional data for tasks."""


class Progress(base.Model):
    """The progress of a job."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.Progress"

    completed_items: base.Int64 = 0
    """The number of items that completed all phases."""
    total_items: base.Int64 = 0
    """The number of items."""
    current_phase: str = ""
    """The name of the earliest phase that any item has yet to complete; empty if there is none."""
    progress_percentage: float = 0.0
    """The share of the work that is done, from 0 to 100. Every phase of every item counts equally."""
    failed_items: base.Int64 = 0
    """The number of items that failed."""
    status: JobStatus = JobStatus.UNSPECIFIED
    """The state of the job."""


class LogEntry(base.Model):
    """One line of a job's log."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.LogEntry"

    id: str = ""
    """The id of the line. Later lines of a job have greater ids when compared as text."""
    create_time: base.Timestamp | None = None
    """When the line was written."""
    level: LogLevel = LogLevel.UNSPECIFIED
    """The severity of the line."""
    message: str = ""
    """The text of the line."""
    item_index: base.Int64 | None = None
    """The item that the line is about; absent if it is about the whole job."""
    phase: str = ""
    """The phase that the line is about; empty if it is about the whole job."""
    worker: str = ""
    """The worker process that wrote the line."""


class CommandResult(base.Model):
    """CommandResult reports a command that was carried out."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.CommandResult"

    command: Command = Command.UNSPECIFIED
    """The command."""
    job: Job | None = None
    """The job's state after the command."""


class CommandRefusal(base.Model):
    """CommandRefusal reports a command that was refused."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.CommandRefusal"

    command: Command = Command.UNSPECIFIED
    """The command."""
    reason: str = ""
    """The reason, and the commands that the job accepts in its state."""


class Blob(base.Model):
    """A stored sequence of bytes."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.Blob"

    id: str = ""
    """The id: the SHA-256 of the bytes, in hexadecimal."""
    size: base.Int64 = 0
    """The number of bytes."""
    content_type: str = ""
    """The media type, as the caller gave it."""


class TaskType(base.Model):
    """A kind of task that a phase can run."""

    __proto__ = "artificer.batch.v1.batch_service_pb2:artificer.batch.v1.TaskType"

    name: str = ""
    """The name, for use in `Phase.task_type`."""
    description: str = ""
    """What the task does, and what input it accepts."""
    scored: bool = False
    """Whether its outputs have a score that a phase can validate."""
