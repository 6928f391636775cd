"""What a model reads of a conversation: all of it, or the newest messages that fit into its context.

Messages are cut by whole turns (a user's messages with the answer to them), since models expect a user's message first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...kit.errors import Fault, Invalid
from ..models import values as chats
from ..models.errors import PromptTooLong
from ..models.values import ModelInfo
from .errors import NothingToAnswer
from .interfaces import ChatModels
from .settings import ConversationSettings
from .store import Background, Summary
from .values import Cut, HistoryPolicy, Message

_GROUNDED_ANSWER = 512  # tokens that grounding keeps for an answer without max_tokens
_FENCE = 150  # tokens of what grounding says to the model, and of the sentence that it repeats
_LONGEST_TOKEN = 16  # bytes on average; English has 4 to 5
_MESSAGE_TOKENS = 16  # of a message that are not of its text, in the templates of most models, or more
_SUMMARY = "Summary of the earlier part of this conversation:"


@dataclass(frozen=True, slots=True)
class Turn:
    """Messages of the user that follow one another, and the answer to them, which may be missing.

    `first` and `last` are numbers of messages, 0 of one that is not stored yet; there are `count`.
    """

    first: int
    last: int
    count: int
    question: str
    answer: str = ""

    def messages(self) -> list[chats.Message]:
        """Returns the messages for a model."""
        asked = chats.Message(role="user", content=self.question)
        return [asked, chats.Message(role="assistant", content=self.answer)] if self.answer else [asked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a model is to read: instructions, a summary if there is one, and turns, the question last.

    `unread` are turns that a new summary must have, up to message number `upto`; without any, `summary` is complete.
    """

    info: ModelInfo
    instructions: str
    turns: tuple[Turn, ...]
    cut: Cut
    summary: str = ""
    unread: tuple[Turn, ...] = ()
    upto: int = 0

    @property
    def question(self) -> str:
        """The user's last message."""
        return self.turns[-1].question

    def texts(self) -> list[str]:
        """Returns the texts of the prompt, without passages."""
        return [one.content for one in prompt_of(self.instructions, self.summary, self.turns)]

    def earlier(self) -> list[chats.Message]:
        """Returns the messages before the question."""
        return [message for turn in self.turns[:-1] for message in turn.messages()]


def system_text(instructions: str, summary: str) -> str:
    """Returns the text of the system message: one only, since many models' templates accept no second."""
    parts = [instructions, f"{_SUMMARY}\n{summary}" if summary else ""]
    return "\n\n".join(filter(None, parts))


def prompt_of(instructions: str, summary: str, turns: Sequence[Turn]) -> list[chats.Message]:
    """Returns the messages of a prompt."""
    system = system_text(instructions, summary)
    head = [chats.Message(role="system", content=system)] if system else []
    return head + [message for turn in turns for message in turn.messages()]


def turns_of(messages: Sequence[Message], content: str | None) -> list[Turn]:
    """Returns the turns of stored messages and of a new one; without one, the last answer is left out."""
    turns: list[Turn] = []
    stored = list(messages)
    if content is None and stored and stored[-1].role == "assistant":
        stored.pop()
    for one in stored:
        if one.role == "user" and (not turns or turns[-1].answer):
            turns.append(Turn(one.sequence, one.sequence, 1, one.content))
        elif turns:  # a second message of the user, as after an answer that failed at once, or an answer
            before = turns[-1]
            question = f"{before.question}\n\n{one.content}" if one.role == "user" else before.question
            answer = before.answer if one.role == "user" else one.content
            turns[-1] = Turn(before.first, one.sequence, before.count + 1, question, answer)
    if content is not None:
        if turns and not turns[-1].answer:
            before = turns.pop()
            question = f"{before.question}\n\n{content}"
            turns.append(Turn(before.first, before.last, before.count + 1, question))
        else:
            turns.append(Turn(0, 0, 1, content))
    return turns


class History:
    """Plans what models read."""

    def __init__(self, models: ChatModels, settings: ConversationSettings) -> None:
        self._models, self._settings = models, settings

    async def plan(self, background: Background, content: str | None, max_tokens: int | None) -> Plan:
        """Returns what the model reads to answer `content`, or the last stored message if it is None.

        Raises UnknownModel, NothingToAnswer, and PromptTooLong if the message alone does not fit.
        """
        conversation, project = background.conversation, background.project
        info = self._models.chat_info(conversation.model)
        instructions = conversation.instructions or (project.instructions if project else "")
        turns = turns_of(background.messages, content)
        if not turns:
            raise NothingToAnswer(conversation.id)
        fitting = _Fitting(self._models, info, instructions, self._room(info, max_tokens))
        grounded = bool(conversation.collections or (project and project.collections))
        if max_tokens is not None and 0 < info.context_tokens <= max_tokens:
            text = f"is {max_tokens}, but the context of model {info.name!r} holds {info.context_tokens} tokens"
            raise Invalid(Fault("options.max_tokens", text))
        await fitting.check(turns[-1])
        if grounded:
            fitting.share_with_passages()
        # The oldest messages may not be loaded. An answer that is replaced is not in the turns.
        replaced = content is None and background.messages[-1].role == "assistant"
        fitting.total = conversation.message_count + (content is not None) - replaced
        if fitting.dropped(turns) == 0 and await fitting.fits("", turns):
            return fitting.plan(turns)
        if conversation.policy is HistoryPolicy.SUMMARIZE:
            return await self._summarized(fitting, turns, background.summary)
        return fitting.plan(turns[await fitting.start("", turns) :])

    def _room(self, info: ModelInfo, max_tokens: int | None) -> int:
        """Returns the tokens that are left for the answer."""
        return min(self._settings.answer_tokens, info.context_tokens // 2) if max_tokens is None else max_tokens

    async def _summarized(self, fitting: _Fitting, turns: list[Turn], known: Summary | None) -> Plan:
        if known is not None:
            later = next((at for at, turn in enumerate(turns) if not turn.first or turn.first > known.upto), None)
            if later is not None and await fitting.fits(known.content, turns[later:]):
                return fitting.plan(turns[later:], summary=known.content)
        room = self._settings.summary_tokens
        # Half of what is left, so that the summary serves for several answers before it must be renewed.
        start = await fitting.start("", turns, (fitting.budget - room) // 2)
        done = known.upto if known else 0
        unread = tuple(turn for turn in turns[:start] if turn.first > done)
        if not unread or not await fitting.fits("", turns[start:], fitting.budget - room):
            return fitting.plan(turns[await fitting.start("", turns) :])  # there is no room for a summary
        text = known.content if known else ""
        return fitting.plan(turns[start:], summary=text, unread=unread, upto=turns[start - 1].last)


class _Fitting:
    """Whether turns fit into a model's context. A context of 0 tokens is unknown, and everything fits."""

    def __init__(self, models: ChatModels, info: ModelInfo, instructions: str, room: int) -> None:
        self.info, self.instructions = info, instructions
        self.budget = info.context_tokens - room
        self.total = 0  # messages, with the one to be answered
        self._models, self._room = models, room

    def share_with_passages(self) -> None:
        """Leave half of the room to the passages that `grounding` adds, which keeps more for the answer."""
        kept = max(self._room, min(_GROUNDED_ANSWER, self.info.context_tokens // 2))
        self.budget = max(self.info.context_tokens - kept - _FENCE, 0) // 2

    def dropped(self, turns: Sequence[Turn]) -> int:
        """Returns the number of messages before the turns."""
        return self.total - sum(turn.count for turn in turns)

    def plan(self, turns: Sequence[Turn], *, summary: str = "", unread: tuple[Turn, ...] = (), upto: int = 0) -> Plan:
        """Returns the plan to read these turns, and a summary of what is before them."""
        return Plan(
            info=self.info,
            instructions=self.instructions,
            turns=tuple(turns),
            cut=Cut(self.dropped(turns), summarized=bool(summary or unread)),
            summary=summary,
            unread=unread,
            upto=upto,
        )

    async def check(self, turn: Turn) -> None:
        """Raise PromptTooLong unless a turn fits alone."""
        if not self.info.context_tokens:
            return
        if await self.fits("", [turn]):
            return
        count = await self._models.count(self.info.name, prompt_of(self.instructions, "", [turn]))
        raise PromptTooLong(
            f"the message has {count} tokens with the instructions; the context of model {self.info.name!r} holds"
            f" {self.info.context_tokens}, of which {self._room} are left for the answer",
            field="content",
        )

    async def fits(self, summary: str, turns: Sequence[Turn], budget: int | None = None) -> bool:
        """Whether turns fit together."""
        if not self.info.context_tokens:
            return True
        budget = self.budget if budget is None else budget
        prompt = prompt_of(self.instructions, summary, turns)
        size = sum(len(one.content.encode()) for one in prompt)
        # No token is less than a byte, and none of a natural text so long, so that most conversations need no count.
        if size + _MESSAGE_TOKENS * len(prompt) <= budget:
            return True
        if size > _LONGEST_TOKEN * max(budget, 0):
            return False
        return await self._models.count(self.info.name, prompt) <= budget

    async def start(self, summary: str, turns: Sequence[Turn], budget: int | None = None) -> int:
        """Returns the position of the first turn from which on all fit; that of the last one if not even that does."""
        # From the end, twice as many each time: texts far beyond the budget are never counted.
        high, kept = len(turns) - 1, 2
        while kept <= len(turns) and await self.fits(summary, turns[-kept:], budget):
            high = len(turns) - kept
            kept *= 2
        low = max(len(turns) - kept + 1, 0)
        while low < high:
            middle = (low + high) // 2
            if await self.fits(summary, turns[middle:], budget):
                high = middle
            else:
                low = middle + 1
        return low
