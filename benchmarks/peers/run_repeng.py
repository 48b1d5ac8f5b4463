"""RepE by repeng, and its reader of GGUF. Runs in that library's own environment: python run_repeng.py EXCHANGE."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from repeng import ControlModel, ControlVector, DatasetEntry
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

exchange = Path(sys.argv[1])
ask = json.loads((exchange / "ask.json").read_text(encoding="utf-8"))
model = AutoModelForCausalLM.from_pretrained(ask["model"], dtype=torch.float32).eval()
# From the vocabulary itself: the settings that version 5 saves cannot be read by version 4.
tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{ask['model']}/tokenizer.json", pad_token=ask["pad_token"])

pairs = [DatasetEntry(positive=positive, negative=negative) for positive, negative in ask["pairs"]]
found: dict[str, torch.Tensor] = {}
for method in ("pca_center", "pca_diff"):
    trained = ControlVector.train(model, tokenizer, pairs, method=method, batch_size=1)
    found |= {f"{method}.{layer}": torch.from_numpy(vector.copy()) for layer, vector in trained.directions.items()}
    if method == "pca_center":
        trained.export_gguf(exchange / "from-repeng.gguf")
        found |= {f"exported.{layer}": torch.from_numpy(v.copy()) for layer, v in trained.directions.items()}

loaded = ControlVector.import_gguf(exchange / "from-us.gguf")
found |= {f"loaded.{layer}": torch.from_numpy(vector.copy()) for layer, vector in loaded.directions.items()}

controlled = ControlModel(model, list(loaded.directions))
with torch.no_grad():
    for number, prompt in enumerate(ask["prompts"]):
        inputs = tokenizer(prompt, return_tensors="pt")
        controlled.set_control(loaded, ask["strength"])
        found[f"steered.{number}"] = controlled(**inputs).logits[0].clone()
        controlled.reset()
        found[f"plain.{number}"] = controlled(**inputs).logits[0].clone()

libraries = {name: version(name) for name in ("repeng", "torch", "transformers", "numpy", "gguf")}
save_file(found, exchange / "repeng.safetensors", metadata=libraries)
