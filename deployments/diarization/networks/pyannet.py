"""pyannote's segmentation network, sinc filters and LSTMs, with what chunks share done once."""

from pyannote.audio.models.segmentation import PyanNet
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from deployments.diarization.grid import Grid
from deployments.diarization.networks.lstm import layers
from deployments.diarization.networks.sincnet import SharedSincNet
from deployments.diarization.networks.sincnet_integers import IntegerSincNet


class SharedPyanNet:
    """`integers` has it multiply in 16-bit integers, on a CPU: all but the little behind its
    LSTMs."""

    def __init__(self, model: PyanNet, *, integers: bool) -> None:
        self.model = model
        self.recurrent = layers(model.lstm, integers=integers)
        self.sincnet = IntegerSincNet(model.sincnet) if integers else None


class PyanNetScores:
    """Of the chunks of a stretch, (samples,)."""

    def __init__(self, network: SharedPyanNet, stretch: Tensor, grid: Grid) -> None:
        self._network = network
        self._sincnet = SharedSincNet(network.model.sincnet, stretch, grid, network.sincnet)

    def __call__(self, chunks: Tensor) -> Tensor:
        """(chunks,) numbers within the stretch → (chunks, frames, classes)."""
        model = self._network.model
        features = self._sincnet.features(chunks)
        for layer in self._network.recurrent:
            features = layer(features)
        if model.hparams.linear["num_layers"] > 0:
            for linear in model.linear:
                features = F.leaky_relu(linear(features))
        scores: Tensor = model.activation(model.classifier(features))
        return scores
