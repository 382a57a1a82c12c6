"""Opens a weight file without running any code in it, and says what the file is where it is none."""

from __future__ import annotations

import argparse
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from trainables.errors import one_line
from trainables.models.names import ModelError

SAFETENSORS = ".safetensors"
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""Kinds of numbers of the safetensors format, version 0.3."""

LONGEST_HEADER = 100 * 2**20
"""Bytes that the format allows its header."""

_HARMLESS: list[Any] = [
    argparse.Namespace,
    numpy.dtype,
    *(type(numpy.dtype(kind)) for kind in ("float32", "float64", "int32", "int64")),
    (numpy.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (numpy.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
]
"""Types that published files hold beside tensors: the run's options, and a rate that numpy computed."""


def open_weights(path: Path) -> Any:
    """Return what is in a weight file, tensors on the CPU.

    Raises:
        ModelError: the file is missing, damaged, an archive, a page or a pointer in the place of weights, or
            holds other objects than tensors, numbers and plain containers.
    """
    try:
        if (other := _no_weights(path)) is not None:
            raise ModelError(f"weight file {path}: {other}")
        if path.suffix == SAFETENSORS:
            return _safetensors(path)
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(f"weight file {path}: {error.strerror or error}") from None
    except pickle.UnpicklingError:
        unread = "holds objects that are not read, since they could run code: save its state dict alone"
        reason = unread if zipfile.is_zipfile(path) else f"no torch weight file, or {unread}"
        raise ModelError(f"weight file {path}: {reason}") from None
    except Exception as error:  # a damaged file surfaces as RuntimeError, EOFError, KeyError, ...
        raise ModelError(f"weight file {path}: damaged ({one_line(error, part='first')})") from None


def _no_weights(path: Path) -> str | None:
    """Return what stands in the place of weights, with the remedy; None where that is not clear."""
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS in the place of the file; fetch it with git lfs pull"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "a web page in the place of the file; download it again"
    if start.startswith(b"PK") and zipfile.is_zipfile(path):
        inside = zipfile.ZipFile(path).namelist()
        return None if any(name.endswith("data.pkl") for name in inside) else _archive(inside)
    if not start.startswith(b"\x80") and tarfile.is_tarfile(path):  # torch's older files begin with that byte
        with tarfile.open(path) as archive:
            return _archive(archive.getnames())
    return None


def _archive(inside: list[str]) -> str:
    kinds = (".pth", ".pt", ".tar", ".bin", ".ckpt", SAFETENSORS)
    weights = [name for name in inside if name.endswith(kinds)]
    named = ", ".join((weights or inside)[:3]) + (", ..." if len(weights or inside) > 3 else "")
    return f"an archive of {len(inside)} files ({named}); unpack it, and name the one that is meant"


def _safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file: a header in JSON says where each tensor's bytes lie."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > LONGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        header, content = json.loads(file.read(length)), file.read()
    header.pop("__metadata__", None)
    state = {}
    for name, about in header.items():
        first, last = about["data_offsets"]
        dtype, shape = DTYPES[about["dtype"]], about["shape"]
        if not 0 <= first <= last <= len(content):
            raise ValueError(f"{name} lies outside the file")
        part = bytearray(content[first:last])
        flat = torch.frombuffer(part, dtype=dtype) if part else torch.empty(0, dtype=dtype)
        state[name] = flat.reshape(shape)
    return state
