"""In which precision networks that read images compute: processors differ a hundredfold in what bfloat16 gains.

A rule and no timing decides, so that the same command and seed give the same run on the same machine. It says what was
measured: with AMX bfloat16 is several times as fast as float32, with AVX512-BF16 half as fast again; a processor that
has neither emulates it, ten times slower (docs/experiments.md). On an H100 bfloat16 was not faster.
"""

from __future__ import annotations

from typing import Literal

from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space

from prefrl.core.errors import PrefrlError
from prefrl.core.settings import Precision
from prefrl.processor import has_flag

FAST_BF16 = ("amx_bf16", "avx512_bf16")
"""Flags of processors that compute in bfloat16."""


def choose_precision(name: Literal["auto"] | Precision, observation_space: spaces.Space, device: str) -> Precision:
    """Resolves `name` to fp32 or bf16. For images, auto is bf16 where the device computes in it.

    Raises:
        PrefrlError: bf16 for observations that no network of convolutions reads.
    """
    if is_image_space(observation_space):
        return fast_precision(device)[0] if name == "auto" else name
    if name == "bf16":
        raise PrefrlError("precision bf16 is for image observations alone; leave it at auto")
    return "fp32"


def fast_precision(device: str) -> tuple[Precision, str]:
    """The faster precision of a device for images, and why."""
    if device != "cpu":
        return "fp32", f"on {device} bf16 is not known to be faster"
    for flag in FAST_BF16:
        if has_flag(flag):
            return "bf16", f"this processor has {flag}"
    return "fp32", f"this processor has neither {' nor '.join(FAST_BF16)}"
