"""When the device has done what it was given, and memory of the host that it can reach."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Event:
    """The end of what was launched until a moment. On a CPU that is over at once."""

    event: Any = None

    @classmethod
    def now(cls, device: torch.device) -> "Event":
        if device.type != "cuda":
            return cls()
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return cls(event)

    def passed(self) -> bool:
        return self.event is None or bool(self.event.query())

    def wait(self) -> None:
        """Stand still until then."""
        if self.event is not None:
            self.event.synchronize()

    def before_what_follows(self) -> None:
        """Nothing that is launched on this stream from now on begins earlier."""
        if self.event is not None:
            self.event.wait()


def stream(device: torch.device, *, first: bool = False) -> Any:
    """A stream of a GPU; None for a CPU. Of several, the `first` goes before wherever it can."""
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device, priority=-1 if first else 0)  # type: ignore[no-untyped-call]


def pinned(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros, which a GPU fetches while the host goes on."""
    return torch.zeros(size, dtype=dtype, pin_memory=device.type == "cuda")
