"""Pieces of a recording."""

import torch

from deployments.diarization.networks.waveforms import pieces


def test_a_piece_past_the_end_is_filled_up_with_zeros() -> None:
    waveform = torch.arange(1, 11, dtype=torch.int16) * 1024
    found = pieces(waveform, [0, 7, 10, 12], 4, torch.device("cpu"))
    expected = [[1, 2, 3, 4], [8, 9, 10, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    torch.testing.assert_close(found * 32, torch.tensor(expected, dtype=torch.float32))
