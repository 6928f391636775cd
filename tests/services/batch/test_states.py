"""The whole table of transitions."""

from __future__ import annotations

import pytest

from artificer_services.batch.jobs.errors import IllegalTransition
from artificer_services.batch.jobs.states import TRANSITIONS, JobState, Verb, after, end_of

P, R, H, C, F, X = (JobState(name) for name in ("PENDING", "RUNNING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"))

# start, pause, resume, cancel; None: refused.
TABLE = {
    P: (R, None, None, X),
    R: (R, H, R, X),
    H: (None, H, R, X),
    C: (None, None, None, None),
    F: (None, None, None, None),
    X: (None, None, None, X),
}


@pytest.mark.parametrize("state", JobState)
def test_every_verb_in_every_state(state: JobState) -> None:
    for verb, to in zip(Verb, TABLE[state], strict=True):
        if to is not None:
            assert after(state, verb) is to
        else:
            with pytest.raises(IllegalTransition):
                after(state, verb)


def test_a_refusal_names_the_allowed_verbs() -> None:
    with pytest.raises(
        IllegalTransition, match=r"cannot start a job that is PAUSED; allowed: resume, cancel"
    ) as refused:
        after(H, Verb.START)
    assert refused.value.allowed == ("resume", "cancel")
    with pytest.raises(IllegalTransition, match="the state is final"):
        after(C, Verb.PAUSE)


def test_a_repeated_verb_leads_to_the_same_state() -> None:
    for state, verbs in TRANSITIONS.items():
        for verb, to in verbs.items():
            assert TRANSITIONS[to].get(verb, to) is to, (state, verb)


@pytest.mark.parametrize(
    ("completed", "failed", "total", "end"),
    [
        (2, 1, 4, None),  # one has not ended
        (3, 1, 4, C),  # one success makes the job a success
        (0, 4, 4, F),
        (0, 0, 0, C),  # a job without items is complete
    ],
)
def test_the_final_state_of_a_job(completed: int, failed: int, total: int, end: JobState | None) -> None:
    assert end_of(completed, failed, total) is end
    assert end is None or end.ended
