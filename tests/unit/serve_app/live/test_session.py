"""Sequences of what a client does, and the events that come of it."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from interchange.errors import RecognitionFailed
from interchange.stages import SAMPLE_RATE, Int16, Window
from interchange.transcript import WindowTranscript
from serve_app.live.events import (
    Cleared,
    Committed,
    Completed,
    Delta,
    Event,
    Failed,
    Partial,
    SpeechStarted,
    SpeechStopped,
    Spoken,
)
from serve_app.live.item import CONTEXT_S
from serve_app.live.options import LiveOptions
from serve_app.live.session import NothingToCommit, Work
from tests.fakes.live import DETECTION, LOUD, Conversation, clock_words, silence, spoken
from tests.fakes.services import segment


def names(events: list[Event]) -> list[str]:
    """The kinds of events, of each item's deltas only the first."""
    begun: set[str] = set()
    kinds = []
    for event in events:
        if isinstance(event, Delta):
            if event.item_id in begun:
                continue
            begun.add(event.item_id)
        kinds.append(type(event).__name__)
    return kinds


def deltas(events: list[Event], item: str) -> str:
    return "".join(e.text for e in events if isinstance(e, Delta) and e.item_id == item)


def completed(events: list[Event]) -> list[Completed]:
    return [event for event in events if isinstance(event, Completed)]


TURN = ["SpeechStarted", "Delta", "SpeechStopped", "Committed", "Completed"]


@pytest.mark.parametrize(
    ("audio", "expected"),
    [
        ([silence(3)], []),
        ([spoken(0.05), silence(2)], []),
        ([silence(1), spoken(4), silence(2)], TURN),
        ([spoken(4), silence(0.3), spoken(2), silence(2)], TURN),
        ([spoken(3), silence(2), spoken(3), silence(2)], [*TURN, *TURN]),
    ],
    ids=["silence", "a click", "one turn", "a pause within", "two turns"],
)
def test_turns(audio: list[Int16], expected: list[str]) -> None:
    talk = Conversation()
    for part in audio:
        talk.say(part)
    talk.wait()
    assert names(talk.events) == expected


def test_words_come_while_somebody_speaks_and_are_the_transcript() -> None:
    talk = Conversation()
    talk.say(spoken(6))
    early = deltas(talk.events, "item_s_1")
    assert early.startswith("w0 w1 w2")
    talk.say(silence(2))
    talk.wait()
    (end,) = completed(talk.events)
    assert end.text == " ".join(f"w{n}" for n in range(12))
    assert deltas(talk.events, end.item_id) == end.text


@pytest.mark.parametrize("silence_s", [0.1, 0.5, 2.0, 5.0])
def test_a_turn_ends_after_the_silence_that_was_asked_for(silence_s: float) -> None:
    talk = Conversation(silence_s=silence_s)
    talk.say(spoken(2))
    talk.say(silence(silence_s - 0.08))
    assert "SpeechStopped" not in names(talk.events)
    talk.say(silence(0.2))
    talk.wait()
    assert names(talk.events) == TURN or silence_s < 0.5
    assert completed(talk.events)[0].text == "w0 w1 w2 w3"


def test_speech_has_its_place_in_the_session() -> None:
    talk = Conversation()
    talk.say(silence(2))
    talk.say(spoken(2))
    talk.say(silence(1))
    start = next(e.start for e in talk.events if isinstance(e, SpeechStarted))
    stop = next(e.end for e in talk.events if isinstance(e, SpeechStopped))
    assert start / SAMPLE_RATE == pytest.approx(1.7, abs=0.04)
    assert stop / SAMPLE_RATE == pytest.approx(4.5, abs=0.07)


def test_a_hypothesis_that_changes_is_not_said() -> None:
    """Only what two in succession have in common; the last one counts for the rest."""
    heard = iter(["red", "red green", "blue green", "blue green gold"])

    def hear(window: Window) -> WindowTranscript:
        return _says(window, next(heard, "blue green gold"))

    talk = Conversation(hear=hear)
    talk.say(spoken(4))
    talk.say(silence(2))
    talk.wait()
    (end,) = completed(talk.events)
    assert deltas(talk.events, end.item_id) == end.text
    assert end.text.startswith("red")
    assert end.text.endswith("gold")


def test_items_do_not_interleave_where_the_recognizer_is_slow() -> None:
    talk = Conversation(delay=2.5)
    for _ in range(6):
        talk.say(spoken(1.5))
        talk.say(silence(0.7))
    talk.wait()
    texts = [e.item_id for e in talk.events if isinstance(e, Delta | Completed)]
    assert [f"item_s_{n}" for n in range(1, 7)] == list(dict.fromkeys(texts))
    assert texts == sorted(texts, key=lambda item: int(item.rpartition("_")[2]))
    assert len(completed(talk.events)) == 6


def test_each_item_knows_the_one_before() -> None:
    talk = Conversation()
    for _ in range(3):
        talk.say(spoken(1))
        talk.say(silence(1))
    before = [(e.item_id, e.previous) for e in talk.events if isinstance(e, Committed)]
    assert before == [("item_s_1", None), ("item_s_2", "item_s_1"), ("item_s_3", "item_s_2")]


@pytest.mark.parametrize("delay", [0.1, 1.0, 5.0])
def test_speech_without_a_pause_is_all_heard_in_windows_that_stay_short(delay: float) -> None:
    talk = Conversation(delay=delay)
    talk.say(spoken(50))
    talk.say(silence(2))
    talk.wait()
    (end,) = completed(talk.events)
    heard = [int(word[1:]) for word in end.text.split()]
    assert heard == sorted(set(heard))
    # A word that a forced cut goes through is the price.
    assert len(heard) >= 95
    assert max(len(window.samples) for window in talk.windows) <= 28.5 * SAMPLE_RATE
    if delay < 1:
        assert max(len(window.samples) for window in talk.windows) <= 10 * SAMPLE_RATE


def test_agreement_that_stalls_is_forced() -> None:
    """A recognizer that never says the same twice still loses no speech, and no window grows."""
    serial = iter(range(1000))

    def hear(window: Window) -> WindowTranscript:
        return _says(window, f"x{next(serial)} " * 3)

    talk = Conversation(hear=hear)
    talk.say(spoken(30))
    before = deltas(talk.events, "item_s_1")
    assert before
    talk.say(silence(2))
    talk.wait()
    assert max(len(window.samples) for window in talk.windows) <= 10 * SAMPLE_RATE
    assert names(talk.events)[-1] == "Completed"


@pytest.mark.parametrize("parts", [[20], [3, 3, 3], [1, 12, 2]], ids=["one turn", "three", "odd"])
def test_windows_begin_with_what_was_said_in_them(parts: list[float]) -> None:
    """Word by word; and all words are said once, in order."""
    talk = Conversation()
    for seconds in parts:
        talk.say(spoken(seconds))
        talk.say(silence(0.75))
    talk.say(silence(2))
    talk.wait()
    for work in talk.asked:
        said = [int(word[1:]) for word in (work.options.said or "").split()]
        first, last = work.window.offset / SAMPLE_RATE, work.window.end
        assert said == sorted(said)
        assert all(first <= number / 2 + 0.45 <= last for number in said)
    numbers = [int(word[1:]) for end in completed(talk.events) for word in end.text.split()]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 2 * sum(parts) - 2 * len(parts)


@pytest.mark.parametrize(("pause_s", "near"), [(0.6, True), (1.5, True), (3.0, False)])
def test_a_turn_is_heard_behind_the_end_of_the_one_before_if_that_is_near(
    pause_s: float, near: bool
) -> None:
    talk = Conversation(language="en")
    begun = two_turns(talk, pause_s)
    assert bool(begun[0].options.said) == near
    context_s = 9 + pause_s - begun[0].window.offset / SAMPLE_RATE
    assert (CONTEXT_S - 1 < context_s < CONTEXT_S + 1) if near else context_s < 1
    assert deltas(talk.events, "item_s_2").split()[0] == f"w{math.ceil(2 * (9 + pause_s))}"


def two_turns(talk: Conversation, pause_s: float) -> list[Work]:
    """The windows of the second."""
    talk.say(spoken(9))
    talk.say(silence(pause_s))
    talk.say(spoken(2))
    talk.say(silence(2))
    talk.wait()
    return [work for work in talk.asked if work.item.id == "item_s_2"]


@pytest.mark.parametrize(("second", "followed"), [("en", True), ("de", False)])
def test_without_a_language_a_turn_follows_one_that_was_in_the_same(
    second: str, followed: bool
) -> None:
    """Its own first window says which."""

    def hear(window: Window) -> WindowTranscript:
        language = second if window.end > 9.6 else "en"
        heard = clock_words(window)
        return replace(heard, language=language, language_probabilities=((language, 0.9),))

    first, *others = two_turns(Conversation(hear=hear), 0.6)
    assert not first.options.said
    assert all((work.window.offset < 9 * SAMPLE_RATE) == followed for work in others)


def test_only_what_may_be_the_last_of_a_turn_is_no_provisional_window() -> None:
    talk = Conversation()
    talk.say(spoken(3))
    talk.say(silence(0.4))
    talk.say(spoken(1))
    talk.say(silence(2))
    talk.wait()
    for work in talk.asked:
        behind = (work.stretch.end - work.stretch.voiced) / SAMPLE_RATE
        assert work.options.provisional == (behind < 0.28)
        assert work.options.hurried == (not work.options.provisional)
    assert {work.options.provisional for work in talk.asked} == {True, False}


def test_where_hypotheses_come_seldom_none_is_hurried() -> None:
    talk = Conversation(delay=1.5)
    talk.say(spoken(8))
    talk.say(silence(2))
    talk.wait()
    assert talk.asked[0].options.hurried == (not talk.asked[0].options.provisional)
    assert not talk.asked[-1].options.provisional
    assert not talk.asked[-1].options.hurried


def doubted_turn(seconds: float, delay: float) -> Conversation:
    """Whose every provisional window fails the checks, and says something else than the others."""

    def hear(window: Window) -> WindowTranscript:
        if talk.asked[-1].options.provisional:
            return replace(_says(window, f"wrong{len(talk.asked)} " * 4), doubtful=True)
        return clock_words(window)

    talk = Conversation(hear=hear, delay=delay)
    talk.say(spoken(seconds))
    talk.say(silence(2))
    talk.wait()
    return talk


@pytest.mark.parametrize("delay", [0.1, 0.5, 1.0])
def test_what_the_checks_doubt_is_not_the_last_of_a_turn(delay: float) -> None:
    """It is heard again when speech has ended, and says nothing by itself before."""
    heard_all = 0
    for tenths in range(10, 40):
        talk = doubted_turn(tenths / 10, delay)
        before, last = talk.asked[-2:]
        assert not last.options.provisional
        assert completed(talk.events)[0].text == " ".join(f"w{n}" for n in range(tenths // 5))
        heard_all += before.options.provisional and before.stretch.voiced == last.stretch.voiced
    assert heard_all, "no turn ended with a provisional window that had heard all of it"


def test_where_hypotheses_come_seldom_one_is_enough_for_what_is_well_behind() -> None:
    """Answers that take a second: no two hypotheses ever agree, and words come all the same."""
    serial = iter(range(1000))

    def hear(window: Window) -> WindowTranscript:
        return _says(window, f"x{next(serial)} " * 8)

    quick, slow = Conversation(hear=hear, delay=0.1), Conversation(hear=hear, delay=1.0)
    for talk in (quick, slow):
        talk.say(spoken(6))
    assert not deltas(quick.events, "item_s_1")
    assert deltas(slow.events, "item_s_1")


def test_times_never_leave_the_audio() -> None:
    def hear(window: Window) -> WindowTranscript:
        found = _says(window, "late")
        (segment,) = found.segments
        (word,) = segment.words
        wrong = replace(word, start=word.start - 100, end=word.end + 100)
        return replace(found, segments=(replace(segment, words=(wrong,)),))

    talk = Conversation(hear=hear)
    talk.say(spoken(20))
    talk.say(silence(2))
    talk.wait()
    assert completed(talk.events)
    assert all(window.offset >= 0 for window in talk.windows)
    assert all(a < b for w in talk.windows for a, b in w.speech)


# ------------------------------------------------------------------------------- by hand


def test_manual_text_waits_for_its_commit() -> None:
    talk = Conversation(manual=True)
    talk.say(spoken(4))
    assert talk.events == []
    assert len(talk.windows) > 2, "it is worked on meanwhile"
    talk.take(talk.session.commit())
    talk.wait()
    assert names(talk.events) == ["Committed", "Delta", "Completed"]
    assert completed(talk.events)[0].text == "w0 w1 w2 w3 w4 w5 w6 w7"


def test_manual_silence_between_words_costs_nothing() -> None:
    talk = Conversation(manual=True)
    talk.say(silence(30))
    talk.say(spoken(2))
    talk.say(silence(60))
    talk.say(spoken(2))
    talk.take(talk.session.commit())
    talk.wait()
    assert completed(talk.events)[0].text.split() == [
        f"w{n}" for n in (60, 61, 62, 63, 184, 185, 186, 187)
    ]
    assert max(len(window.samples) for window in talk.windows) < 4 * SAMPLE_RATE
    assert talk.most_held_s < 10


def test_manual_silence_is_an_item_without_words() -> None:
    talk = Conversation(manual=True)
    talk.say(silence(3))
    talk.take(talk.session.commit())
    assert names(talk.events) == ["Committed", "Completed"]
    assert completed(talk.events)[0].text == ""
    assert not talk.windows


@pytest.mark.parametrize("seconds", [0.0, 0.05])
@pytest.mark.parametrize("manual", [True, False])
def test_nothing_to_commit(seconds: float, manual: bool) -> None:
    talk = Conversation(manual=manual)
    talk.say(silence(seconds))
    with pytest.raises(NothingToCommit, match="append more"):
        talk.session.commit()


def test_a_commit_ends_a_turn_and_the_next_begins_at_once() -> None:
    talk = Conversation()
    talk.say(spoken(3))
    talk.take(talk.session.commit())
    talk.say(spoken(3))
    talk.say(silence(2))
    talk.wait()
    assert [len(each.text.split()) >= 5 for each in completed(talk.events)] == [True, True]


@pytest.mark.parametrize("manual", [True, False])
def test_what_was_cleared_is_not_heard(manual: bool) -> None:
    talk = Conversation(manual=manual)
    talk.say(spoken(0.4))
    talk.take(talk.session.clear())
    assert isinstance(talk.events[-1], Cleared)
    talk.say(silence(1))
    talk.say(spoken(2))
    talk.say(silence(1))
    if manual:
        talk.take(talk.session.commit())
    talk.wait()
    (end,) = completed(talk.events)
    assert end.text == "w3 w4 w5"


def test_an_item_that_was_cleared_after_its_words_fails() -> None:
    talk = Conversation()
    talk.say(spoken(5))
    assert deltas(talk.events, "item_s_1")
    talk.take(talk.session.clear())
    assert names(talk.events)[-2:] == ["Cleared", "Failed"]


# ------------------------------------------------------------------------------- options


def test_logprobs_belong_to_the_words_that_are_said() -> None:
    talk = Conversation(logprobs=True)
    talk.say(spoken(5))
    talk.say(silence(1))
    talk.wait()
    (end,) = completed(talk.events)
    assert b"".join(bytes(token.content) for token in end.tokens).decode() == end.text
    for event in talk.events:
        if isinstance(event, Delta):
            said = b"".join(bytes(token.content) for token in event.tokens).decode()
            assert said == event.text


def test_partials_are_what_may_follow_the_deltas() -> None:
    talk = Conversation(partials=True)
    talk.say(spoken(4))
    text = ""
    for event in talk.events:
        if isinstance(event, Delta):
            text += event.text
        elif isinstance(event, Partial) and event.text:
            assert "w0 w1 w2 w3 w4 w5 w6 w7".startswith(text + event.text)


def test_turns_have_their_speakers_behind_their_words() -> None:
    talk = Conversation(speakers=True, delay=1.5)
    for level in (LOUD, LOUD // 2, LOUD, LOUD // 2):
        talk.say(spoken(3, level))
        talk.say(silence(0.8))
    talk.wait()
    said = [event for event in talk.events if isinstance(event, Spoken)]
    assert [event.speaker for event in said] == [0, 1, 0, 1]
    ends = completed(talk.events)
    assert [event.text for event in said] == [end.text for end in ends]
    order = [event for event in talk.events if isinstance(event, Spoken | Completed)]
    assert [type(event).__name__ for event in order] == ["Spoken", "Completed"] * 4


def test_from_turns_to_manual_and_back() -> None:
    talk = Conversation()
    talk.say(spoken(2))
    talk.session.configure(LiveOptions(None, DETECTION))
    talk.say(silence(5))
    assert "SpeechStopped" not in names(talk.events)
    talk.take(talk.session.commit())
    talk.session.configure(LiveOptions(DETECTION, DETECTION))
    talk.say(silence(1))
    talk.say(spoken(2))
    talk.say(silence(1))
    talk.wait()
    assert len(completed(talk.events)) == 2


# -------------------------------------------------------------------------------- faults


def _fails(window: Window) -> WindowTranscript:
    return WindowTranscript(window.index, window.start, window.end, (), "en", failed="No luck.")


def test_an_item_with_a_failed_window_fails_and_the_next_does_not() -> None:
    outcomes: list[Callable[[Window], WindowTranscript]] = [_fails]

    def hear(window: Window) -> WindowTranscript:
        return (outcomes.pop() if outcomes else clock_words)(window)

    talk = Conversation(hear=hear)
    for _ in range(2):
        talk.say(spoken(2))
        talk.say(silence(1))
    talk.wait()
    ends = [event for event in talk.events if isinstance(event, Completed | Failed)]
    assert [type(end).__name__ for end in ends] == ["Failed", "Completed"]
    assert isinstance(ends[0], Failed)
    assert isinstance(ends[0].error, RecognitionFailed)


def test_an_hour_holds_no_more_than_a_turn() -> None:
    talk = Conversation()
    utterance = np.concatenate((spoken(3), silence(7)))
    for _ in range(360):
        talk.say(utterance, frame_s=1.0)
    talk.wait()
    assert talk.most_held_s < 15
    ends = completed(talk.events)
    assert len(ends) == 360
    assert ends[-1].start / SAMPLE_RATE == pytest.approx(3600 - 10 - 0.3, abs=0.1)
    assert ends[-1].text == " ".join(f"w{2 * (3600 - 10) + n}" for n in range(6))


@pytest.mark.parametrize("manual", [False, True])
def test_an_hour_of_silence_is_nothing(manual: bool) -> None:
    talk = Conversation(manual=manual)
    talk.say(silence(3600), frame_s=1.0)
    talk.wait()
    assert (talk.events, talk.windows) == ([], [])
    assert talk.most_held_s < 3


def _says(window: Window, text: str) -> WindowTranscript:
    """Words that share the window's time evenly."""
    said = segment(text, window.start, window.end)
    return WindowTranscript(window.index, window.start, window.end, (said,), "en")
