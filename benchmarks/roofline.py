"""What Whisper costs on a GPU, from first principles: `python -m benchmarks.roofline`.

Operations count a multiplication and an addition as two. Times are lower bounds: a part takes
as long as its arithmetic at the card's dense peak, or as its bytes at the card's bandwidth,
whichever is longer.
"""

from dataclasses import dataclass

from benchmarks.measuring.tables import table

_BYTES = 2  # float16
POSITIONS = 1500
"""Of the encoder for 30 s."""
POSITIONS_A_SECOND = 50
MAX_TOKENS = 448


@dataclass(frozen=True, slots=True)
class Shape:
    """A Whisper model's dimensions."""

    name: str
    width: int
    encoder_layers: int
    decoder_layers: int
    mels: int = 128
    vocabulary: int = 51_866

    @property
    def encoder_parameters(self) -> int:
        d = self.width
        convolutions = 3 * self.mels * d + 3 * d * d
        # Queries, keys, values and output, and a feed-forward four times as wide.
        return convolutions + self.encoder_layers * 12 * d * d

    @property
    def decoder_parameters(self) -> int:
        """What a step reads: all but the cross-attention's keys and values, which are computed
        once a window. The embedding of tokens is the output's too, and counted once."""
        d = self.width
        return self.decoder_layers * (4 + 2 + 8) * d * d + self.vocabulary * d

    @property
    def cross_parameters(self) -> int:
        return self.decoder_layers * 2 * self.width**2

    @property
    def weight_bytes(self) -> int:
        total = self.encoder_parameters + self.decoder_parameters + self.cross_parameters
        return _BYTES * total


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU: dense float16 operations a second, bytes a second and bytes of memory."""

    name: str
    operations: float
    bandwidth: float
    memory: float


LARGE_V3 = Shape("large-v3", 1280, 32, 32)
TURBO = Shape("large-v3-turbo", 1280, 32, 4)

# From NVIDIA's data sheets: tensor cores without sparsity.
A100 = Card("A100 80 GB", 312e12, 2.04e12, 80e9)
H100 = Card("H100 80 GB", 989e12, 3.35e12, 80e9)
L4 = Card("L4", 121e12, 0.30e12, 24e9)
CARDS = (A100, H100, L4)


@dataclass(frozen=True, slots=True)
class Speech:
    """How the windows of a recording are filled. `tokens` is a window's, timestamps too.

    `tokens_a_second` of 3.8 is what English read aloud gives with Whisper's vocabulary.
    """

    window_s: float
    tokens_a_second: float = 3.8

    @property
    def tokens(self) -> float:
        return self.window_s * self.tokens_a_second

    def positions(self, *, silent_suffix: bool) -> int:
        """Encoder positions a window: its own and a second's, or those of 30 s."""
        own = round((self.window_s + 1) * POSITIONS_A_SECOND)
        return min(POSITIONS, own) if silent_suffix else POSITIONS


def encoder_operations(shape: Shape, rows: int, keys: int = POSITIONS) -> float:
    """Operations to encode `rows` positions that attend to `keys` positions each."""
    d = shape.width
    # The first convolution runs on two frames a position.
    convolutions = 2 * rows * (2 * 3 * shape.mels * d + 3 * d * d)
    projections = shape.encoder_layers * 2 * rows * 12 * d * d
    attention = shape.encoder_layers * 2 * 2 * rows * keys * d
    cross = 2 * rows * shape.cross_parameters
    return float(convolutions + projections + attention + cross)


def cross_bytes(shape: Shape, positions: int = POSITIONS) -> int:
    """Memory of a slot's cross-attention: keys and values of every layer."""
    return shape.decoder_layers * 2 * positions * shape.width * _BYTES


def self_bytes(shape: Shape, tokens: float = MAX_TOKENS) -> float:
    """Memory of a slot's self-attention: keys and values of the tokens so far."""
    return shape.decoder_layers * 2 * tokens * shape.width * _BYTES


def step_bytes(shape: Shape, rows: int, positions: int, tokens: float) -> float:
    """Bytes that a decoding step of `rows` windows reads: weights once, the rest a row.

    `tokens` is how many each row has so far, on average.
    """
    weights = _BYTES * shape.decoder_parameters
    return weights + rows * (cross_bytes(shape, positions) + self_bytes(shape, tokens))


def step_operations(shape: Shape, rows: int, positions: int, tokens: float) -> float:
    """Operations of a decoding step."""
    attention = shape.decoder_layers * 4 * (positions + tokens) * shape.width
    return rows * (2.0 * shape.decoder_parameters + attention)


def slots(shape: Shape, card: Card, positions: int = POSITIONS, reserve: float = 0.25) -> int:
    """Slots that a card holds beside the weights, with a share of it kept for all else.

    All else is the context, what the encoder works in, and the diarizer beside it.
    """
    room = card.memory * (1 - reserve) - shape.weight_bytes
    return max(0, int(room // (cross_bytes(shape, positions) + self_bytes(shape))))


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds that a card needs at the least for a recording, and what it comes to."""

    windows: float
    encoder_s: float
    step_s: float
    decoder_s: float

    @property
    def total_s(self) -> float:
        return self.encoder_s + self.decoder_s


def floor(
    shape: Shape,
    card: Card,
    audio_s: float,
    rows: int,
    speech: Speech,
    *,
    silent_suffix: bool,
    short_cross: bool = False,
) -> Floor:
    """The lower bound for a recording of `audio_s` seconds, decoded `rows` windows at once.

    `silent_suffix` lets the encoder run on a window's own positions; with `short_cross` the
    decoder reads only those as well.
    """
    windows = audio_s / speech.window_s
    # Layers read the weights once for many windows, so arithmetic is what the encoder waits for.
    encoded = speech.positions(silent_suffix=silent_suffix)
    encoder = windows * encoder_operations(shape, encoded) / card.operations
    positions = speech.positions(silent_suffix=short_cross)
    halfway = speech.tokens / 2
    step = max(
        step_bytes(shape, rows, positions, halfway) / card.bandwidth,
        step_operations(shape, rows, positions, halfway) / card.operations,
    )
    return Floor(windows, encoder, step, windows * speech.tokens / rows * step)


WAYS = (
    ("nothing", False, False),
    ("the encoder", True, False),
    ("encoder and decoder", True, True),
)


def main() -> None:
    """Print what a window, a step, a card's slots and a recording come to."""
    shapes, cards = (LARGE_V3, TURBO), CARDS
    print("A window\n")
    print(
        table(
            ["model", "speech, s", "encoder, TFLOP", "cross-attention, MB", "with suffix: TFLOP",
             "MB"],
            [
                [
                    shape.name,
                    round(length),
                    encoder_operations(shape, POSITIONS) / 1e12,
                    round(cross_bytes(shape) / 1e6),
                    encoder_operations(shape, Speech(length).positions(silent_suffix=True)) / 1e12,
                    round(cross_bytes(shape, Speech(length).positions(silent_suffix=True)) / 1e6),
                ]
                for shape in shapes
                for length in (30.0, 24.0, 8.0)
            ],
        )
    )  # fmt: skip
    print("\nBytes a decoding step, GB, and the time they take, ms (24 s windows, all positions)\n")
    print(
        table(
            ["model", "rows", "GB", *(f"{card.name}, ms" for card in cards)],
            [
                [shape.name, rows, moved / 1e9, *(1e3 * moved / card.bandwidth for card in cards)]
                for shape in shapes
                for rows in (1, 8, 24, 64, 128)
                for moved in [step_bytes(shape, rows, POSITIONS, Speech(24).tokens / 2)]
            ],
        )
    )
    print("\nSlots a card\n")
    print(
        table(
            ["model", "card", "30 s", "24 s, with suffix", "8 s, with suffix"],
            [
                [
                    shape.name,
                    card.name,
                    slots(shape, card),
                    *(
                        slots(shape, card, Speech(length).positions(silent_suffix=True))
                        for length in (24.0, 8.0)
                    ),
                ]
                for shape in shapes
                for card in cards
            ],
        )
    )
    print("\n150 minutes: the floor\n")
    print(
        table(
            ["model", "card", "rows", "pays for speech only", "encoder, s", "a step, ms",
             "decoder, s", "in all, s", "× real time"],
            [
                [
                    shape.name,
                    card.name,
                    rows,
                    way,
                    bound.encoder_s,
                    1e3 * bound.step_s,
                    bound.decoder_s,
                    bound.total_s,
                    round(9000 / bound.total_s),
                ]
                for shape in shapes
                for card in cards
                for rows in (24, 64)
                if slots(shape, card) >= rows
                for way, suffix, short in WAYS
                for bound in [
                    floor(shape, card, 9000, rows, Speech(24), silent_suffix=suffix,
                          short_cross=short)
                ]
            ],
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
