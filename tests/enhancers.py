"""Small networks that enlarge, find faces, restore them and cut figures out, each in a way that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

SIDE = 128
"""Of the picture in which the finder sees a face."""
MARKS = np.array([(50, 60), (78, 62), (64, 76), (52, 92), (76, 94)], np.float32)
LIGHTER = 0.25
"""What the restorer adds to every colour."""


def enlarger(file: Path, factor: int = 4) -> None:
    """A network that makes a square of every pixel."""
    save_file(dict(silent(factor).state_dict()), file)


def lighter(file: Path, metadata: dict[str, str]) -> None:
    """A network that makes everything a little lighter, and tells what it did from its place."""
    net = silent(1)
    with torch.no_grad():
        list(net.parameters())[-1].fill_(LIGHTER)
    save_file(dict(net.state_dict()), file, metadata)


def silent(factor: int) -> Compact:
    """One that adds nothing to the picture."""
    net = Compact(num_feat=4, num_conv=1, upscale=factor)
    with torch.no_grad():
        for weight in net.parameters():
            weight.zero_()
    return net


def finder(file: Path) -> None:
    """A network in YuNet's layout that sees one face, the same in every picture of 128 × 128."""
    cells = {stride: SIDE // stride for stride in (8, 16, 32)}
    parts = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    outputs = {
        f"{part}_{stride}": np.zeros((1, count * count, width), np.float32)
        for part, width in parts.items()
        for stride, count in cells.items()
    }
    cell = 4 * cells[16] + 4  # its corner is at 64, 64
    outputs["cls_16"][0, cell] = outputs["obj_16"][0, cell] = 0.9
    outputs["bbox_16"][0, cell] = (0, 0.5, np.log(4), np.log(5))
    outputs["kps_16"][0, cell] = ((MARKS - 64) / 16).ravel()
    nothing = onnx.helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0)
    zero = onnx.numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    none = onnx.helper.make_node("Mul", ["mean", "zero"], ["none"])
    adds = [onnx.helper.make_node("Add", [f"{name}_known", "none"], [name]) for name in outputs]
    known = [onnx.numpy_helper.from_array(value, f"{name}_known") for name, value in outputs.items()]
    kind = onnx.TensorProto.FLOAT
    given = onnx.helper.make_tensor_value_info("input", kind, [1, 3, SIDE, SIDE])
    answers = [onnx.helper.make_tensor_value_info(name, kind, value.shape) for name, value in outputs.items()]
    save(onnx.helper.make_graph([nothing, none, *adds], "one", [given], answers, [zero, *known]), file)


def remover(file: Path, side: int | str = 320) -> None:
    """A network whose mask is the mean of the colours that it is shown: what is bright stands in front."""
    frame = {"x": 3, "mask": 1}
    given, answer = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, side, side])
        for name, channels in frame.items()
    )
    mean = onnx.helper.make_node("ReduceMean", ["x"], ["mask"], axes=[1], keepdims=1)
    save(onnx.helper.make_graph([mean], "mean", [given], [answer]), file)


def save(graph: onnx.GraphProto, file: Path) -> None:
    opset = onnx.helper.make_opsetid("", 13)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), str(file))
