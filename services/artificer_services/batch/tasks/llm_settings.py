"""The settings of llm.generate.

Knows neither the task nor the endpoint's client: both read these.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...kit.settings import InvalidSetting, check_not_negative, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in US dollars per million tokens."""

    input: float = 0.0
    output: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmSettings:
    """The endpoint, its models, time-outs and limits. Raises ValueError for invalid values."""

    base_url: str = ""  # such as https://api.openai.com/v1; empty disables llm.generate
    api_key: str = field(default="", repr=False)
    model: str = ""  # of phases that set none
    models: tuple[str, ...] = ()  # that phases may set; empty: any
    prices: dict[str, Price] = field(default_factory=dict)  # by model
    timeout: float = 120.0  # seconds for a whole answer
    retries: int = 2  # of a request, within one attempt of the item
    retry_first_seconds: float = 0.5  # before the first retry; doubled for every further one, with jitter
    retry_longest_seconds: float = 30.0  # an endpoint that asks for more is left to the item's next attempt
    max_prompt_chars: int = 4 * 1024 * 1024
    max_answer_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        limits = ("max_prompt_chars", "max_answer_bytes")
        check_positive(self, "timeout", "retry_first_seconds", "retry_longest_seconds", *limits)
        check_not_negative(self, "retries")
        if self.base_url and not self.base_url.startswith(("http://", "https://")):
            raise InvalidSetting("base_url", "base_url must start with http:// or https://")
        if any(price.input < 0 or price.output < 0 for price in self.prices.values()):
            raise InvalidSetting("prices", "prices must not be negative")

    @property
    def longest(self) -> float:
        """The seconds that an item may take with all its retries."""
        return (self.timeout + self.retry_longest_seconds) * (self.retries + 1)
