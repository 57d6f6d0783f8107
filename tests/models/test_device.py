"""Whether a device computes with bfloat16."""

import pytest
import torch

from pipeline.models.device import has_bfloat16


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_that_only_emulates_bfloat16_has_none(monkeypatch, native):
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert has_bfloat16(torch.device("cuda")) is native


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16", None])
def test_a_processor_has_bfloat16_by_its_instructions(monkeypatch, instructions):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx2": True, str(instructions): True})
    assert has_bfloat16(torch.device("cpu")) is (instructions is not None)
