"""Work that is done again and again without the host: on a GPU captured once as a CUDA graph.

A small network's step is a thousand short kernels, and launching them one by one takes longer than
running them. A graph is launched at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

WARM_UPS = 3  # cuDNN and the allocator settle in the first runs; torch's notes ask for as many


class CudaGraph:
    """A function of no arguments that reads and writes tensors which stay where they are.

    Until `capture` it runs as it stands; afterwards each call replays the graph.

    Args:
        body: the work. It must not wait for the device, and must take what changes between calls
            from tensors (a counter that it moves on itself, say).
    """

    def __init__(self, body: Callable[[], None]) -> None:
        self._body = body
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if self._graph is None:
            self._body()
        else:
            self._graph.replay()

    def rehearse(self, state: Callable[[], Mapping[str, Tensor]]) -> None:
        """Run the work a few times and leave `state` as it was.

        `state` names the tensors that the work changes. What the work adds to them (an optimiser's
        moments) is set to zero, from where it would have started.
        """
        before = {name: tensor.clone() for name, tensor in state().items()}
        for _ in range(WARM_UPS):
            self._body()
            with torch.no_grad():
                for name, tensor in state().items():
                    if name in before:
                        tensor.copy_(before[name])
                    else:
                        tensor.zero_()

    def capture(self, state: Callable[[], Mapping[str, Tensor]], device: torch.device) -> None:
        """Capture the work on a GPU, leaving `state` as it was; see `rehearse`."""
        assert device.type == "cuda", device
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream), warnings.catch_warnings():
            # A capturable optimiser complains of every step that is not captured, these too.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable")
            self.rehearse(state)
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(device),
            torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"),
        ):
            self._body()
        self._graph = graph

    def release(self) -> None:
        """Let the graph go, and its memory with it; the work goes on as it stands."""
        self._graph = None
