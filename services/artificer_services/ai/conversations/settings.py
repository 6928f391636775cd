"""The settings of conversations, the table services.ai.conversations: one frozen value, validated once."""

from __future__ import annotations

from dataclasses import dataclass

from ...kit.settings import KIB, MIB, InvalidSetting, check_not_negative, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSettings:
    """Limits, history and safety of conversations. Raises ValueError for invalid values."""

    database_connections: int = 8  # to PostgreSQL, per process
    keep_days: float = 0.0  # conversations that have not changed for so long are removed; 0: keep forever

    max_content_bytes: int = 64 * KIB  # of one message of a user
    max_instructions_bytes: int = 16 * KIB  # of a project's or a conversation's instructions
    max_name_bytes: int = 256  # of a display name or a request id
    max_messages: int = 10_000  # of one conversation
    max_waiting: int = 16  # messages of one Converse stream that wait for earlier answers
    max_page_bytes: int = 3 * MIB  # of one page of messages; stays below gRPC's 4 MiB
    max_history_bytes: int = 512 * KIB  # of messages that are read for one answer

    answer_tokens: int = 512  # room in the model's context for an answer without max_tokens; at most half of it
    summary_tokens: int = 200  # of a summary of the oldest messages

    flush_seconds: float = 0.5  # between two writes of what a running answer has; a crash loses no more
    flush_bytes: int = 4 * KIB  # of an answer that are written sooner
    lease_seconds: float = 10.0  # after which the answers of a process that does not write count as failed
    stop_seconds: float = 15.0  # that StopGeneration waits for the process that runs the answer

    def __post_init__(self) -> None:
        check_positive(
            self,
            "database_connections",
            "max_content_bytes",
            "max_instructions_bytes",
            "max_name_bytes",
            "max_messages",
            "max_waiting",
            "max_page_bytes",
            "max_history_bytes",
            "answer_tokens",
            "summary_tokens",
            "flush_seconds",
            "flush_bytes",
            "lease_seconds",
            "stop_seconds",
        )
        check_not_negative(self, "keep_days")
        if self.lease_seconds < 3 * self.flush_seconds:  # a write may be late twice
            text = f"lease_seconds must be at least 3 times flush_seconds, but is {self.lease_seconds:g}"
            raise InvalidSetting("lease_seconds", text)
