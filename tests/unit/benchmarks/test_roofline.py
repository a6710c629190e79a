import pytest

from benchmarks.roofline import (
    A100,
    L4,
    LARGE_V3,
    POSITIONS,
    TURBO,
    Shape,
    Speech,
    cross_bytes,
    encoder_operations,
    floor,
    slots,
    step_bytes,
)

BASE = Shape("base", 512, 6, 6, mels=80, vocabulary=51_865)


def test_the_weights_are_those_of_the_models() -> None:
    """In millions of parameters: 1550 for large-v3, 809 for turbo, 74 for base."""
    assert LARGE_V3.weight_bytes / 2e6 == pytest.approx(1543, rel=0.01)
    assert TURBO.weight_bytes / 2e6 == pytest.approx(809, rel=0.01)
    assert BASE.weight_bytes / 2e6 == pytest.approx(72.6, rel=0.02)


def test_a_window_of_base_is_87_billion_operations() -> None:
    """Without the keys and values of the cross-attention, as it was measured."""
    encoder = encoder_operations(BASE, POSITIONS) - 2 * POSITIONS * BASE.cross_parameters
    assert encoder == pytest.approx(87e9, rel=0.03)


def test_a_short_window_pays_for_its_own_positions() -> None:
    own = Speech(8).positions(silent_suffix=True)
    assert own == 450
    assert Speech(8).positions(silent_suffix=False) == Speech(40).positions(silent_suffix=True)
    share = encoder_operations(LARGE_V3, own) / encoder_operations(LARGE_V3, POSITIONS)
    assert share == pytest.approx(450 / POSITIONS)


def test_cross_attention_of_large_v3_takes_a_quarter_of_a_gigabyte_a_slot() -> None:
    assert cross_bytes(LARGE_V3) == pytest.approx(245.8e6, rel=0.001)
    assert cross_bytes(TURBO) * 8 == cross_bytes(LARGE_V3)


def test_a_step_reads_the_weights_once_however_many_rows() -> None:
    one, two = (step_bytes(LARGE_V3, rows, POSITIONS, 0) for rows in (1, 2))
    assert two - one == cross_bytes(LARGE_V3)
    assert one - cross_bytes(LARGE_V3) == 2 * LARGE_V3.decoder_parameters


def test_a_card_holds_more_slots_of_shorter_windows() -> None:
    assert slots(LARGE_V3, L4, 450) > slots(LARGE_V3, L4) > 24
    assert slots(LARGE_V3, A100, reserve=0.99) == 0


def test_the_floor_is_the_sum_of_encoder_and_decoder() -> None:
    plain = floor(LARGE_V3, A100, 9000, 24, Speech(30), silent_suffix=False)
    assert plain.windows == 300
    assert plain.total_s == plain.encoder_s + plain.decoder_s
    assert 5 < plain.total_s < 15
    more_rows = floor(LARGE_V3, A100, 9000, 64, Speech(30), silent_suffix=False)
    assert more_rows.decoder_s < plain.decoder_s
    trimmed = floor(LARGE_V3, A100, 9000, 24, Speech(15), silent_suffix=True)
    padded = floor(LARGE_V3, A100, 9000, 24, Speech(15), silent_suffix=False)
    assert trimmed.encoder_s < padded.encoder_s
    assert trimmed.step_s == padded.step_s
    short = floor(LARGE_V3, A100, 9000, 24, Speech(15), silent_suffix=True, short_cross=True)
    assert short.step_s < padded.step_s
