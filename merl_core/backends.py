"""Backends of inference: the ECG tower's forward in PyTorch or OpenVINO, in float32 or bfloat16."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from merl_core.backend_names import require_backend
from merl_core.ensemble import DualEncoder
from merl_core.errors import MerlError

_TRACED_BATCH: Final = 2

Encode = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes prepared windows (B, L, T) and returns normalised features (B, D), float32."""


class _Method(nn.Module):
    """One method of a model as a module, so that its graph can be traced."""

    def __init__(self, model: DualEncoder, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, *inputs: Tensor) -> Tensor:
        found: Tensor = getattr(self.model, self.name)(*inputs)
        return found


def make_backend(name: str, model: DualEncoder, device: torch.device) -> Encode:
    """Return the forward of a model in eval mode by one of `backend_names.BACKENDS`.

    Args:
        name: `torch-compile` compiles with the first batch, which takes a minute or more.
        model: On `device`.
        device: OpenVINO runs on the CPU only.

    Raises:
        MerlError: There is no such backend, it is not installed, or cannot use the device.
    """
    require_backend(name)
    if name.startswith("openvino"):
        if device.type != "cpu":
            msg = f"backend {name!r} runs on the CPU, not on {str(device)!r}"
            raise MerlError(msg)
        return _openvino(model, "bf16" if name == "openvino-bfloat16" else "f32")
    encode: Callable[[Tensor], Tensor] = model.encode_ecg
    if name == "torch-compile":
        encode = cast(Callable[[Tensor], Tensor], torch.compile(encode, dynamic=True))
    return _torch(encode, device, is_bfloat16=name == "torch-bfloat16")


def _torch(
    encode: Callable[[Tensor], Tensor], device: torch.device, *, is_bfloat16: bool
) -> Encode:
    def run(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_bfloat16),
        ):
            features = encode(torch.from_numpy(windows).to(device))
        return features.float().cpu().numpy()

    return run


def _openvino(model: DualEncoder, precision: str) -> Encode:
    """Compile the traced forward; several threads may call what is returned.

    What is measured of the mean beat is so in float32 always: where a beat is steepest is lost
    in bfloat16.
    """
    core = _openvino_core()
    signal = model.config.signal
    windows = torch.randn(
        _TRACED_BATCH,
        len(signal.leads),
        signal.sig_len,
        generator=torch.Generator().manual_seed(0),
    )
    with torch.inference_mode():
        measured = model.measure(windows)

    def compiled(part: nn.Module, examples: tuple[Tensor, ...], precision: str) -> Any:
        how = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        return core.compile_model(_convert(part, examples), "CPU", how)

    measure = None if measured is None else compiled(_Method(model, "measure"), (windows,), "f32")
    inputs = (windows,) if measured is None else (windows, measured)
    tower = compiled(_Method(model, "encode_ecg"), inputs, precision)

    def run(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        given = [np.ascontiguousarray(windows)]
        if measure is not None:
            given.append(measure.create_infer_request().infer(given)[0])
        return np.array(tower.create_infer_request().infer(given)[0], dtype=np.float32)

    return run


@cache
def _openvino_core() -> Any:
    """Return the core of this process, kept to its end.

    A core puts the thread's signal stack aside and back when it ends. Two that end in the order
    of their making leave a stack that is gone, and the next signal kills the process.
    """
    try:
        import openvino
    except ImportError as error:
        msg = "OpenVINO is not installed; it comes with the extra: pip install 'merl-ckepe[cpu]'"
        raise MerlError(msg) from error
    return openvino.Core()


def _convert(part: nn.Module, examples: tuple[Tensor, ...]) -> Any:
    """Return the graph, by OpenVINO's front end: its converter would send telemetry."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings():
        # OpenVINO traces. torch calls tracing deprecated, but exports no graph of all our layers;
        # the tracer warns of shape checks inside attention, which hold for every batch.
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(part.eval(), example_input=examples)
    front_end = FrontEndManager().load_by_framework("pytorch")
    graph = front_end.convert(front_end.load(decoder))
    graph.reshape({i: [-1, *one.shape[1:]] for i, one in enumerate(examples)})
    return graph
