"""A repeated function, captured once as a CUDA graph on a GPU.

The training step of a small network consists of about a thousand short kernels, and launching them
one by one takes longer than running them. A CUDA graph is launched as a whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

WARM_UPS = 3  # torch's notes recommend so many: cuDNN and the allocator adapt in the first calls


class CudaGraph:
    """A function without arguments that reads and writes tensors at fixed addresses.

    Until `capture` a call runs the function eagerly; afterwards it replays the graph.

    Args:
        body: the function. It must not wait for the device, and must read everything that changes
            between calls from tensors, such as a counter that it increments itself.
    """

    def __init__(self, body: Callable[[], None]) -> None:
        self._body = body
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if self._graph is None:
            self._body()
        else:
            self._graph.replay()

    def warm_up(self, state: Callable[[], Mapping[str, Tensor]]) -> None:
        """Run the function a few times and restore `state`.

        `state` returns the tensors that the function changes, by name. Tensors that the function
        adds to them (the moments of an optimiser) are set to zero, their initial value.
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
        """Capture the function on a GPU and restore `state`; see `warm_up`."""
        assert device.type == "cuda", device
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream), warnings.catch_warnings():
            # A capturable optimiser warns about each step that is not captured.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable")
            self.warm_up(state)
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(device),
            torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"),
        ):
            self._body()
        self._graph = graph

    def release(self) -> None:
        """Free the graph and its memory; later calls run the function eagerly."""
        self._graph = None
