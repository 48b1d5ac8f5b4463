"""CAA by steering-vectors. Runs in that library's own environment: python run_steering_vectors.py EXCHANGE."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file
from steering_vectors import SteeringVector, train_steering_vector
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

exchange = Path(sys.argv[1])
ask = json.loads((exchange / "ask.json").read_text(encoding="utf-8"))
model = AutoModelForCausalLM.from_pretrained(ask["model"], dtype=torch.float32).eval()
# From the vocabulary itself: the settings that version 5 saves cannot be read by version 4.
tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{ask['model']}/tokenizer.json", pad_token=ask["pad_token"])

pairs = [(positive, negative) for positive, negative in ask["pairs"]]
trained = train_steering_vector(model, tokenizer, pairs, batch_size=1)
found = {f"caa.{layer}": vector.contiguous() for layer, vector in trained.layer_activations.items()}

layer = ask["layer"]
steering = SteeringVector({layer: trained.layer_activations[layer]}, "decoder_block")
with torch.no_grad():
    for number, prompt in enumerate(ask["prompts"]):
        inputs = tokenizer(prompt, return_tensors="pt")
        found[f"plain.{number}"] = model(**inputs).logits[0]
        with steering.apply(model, multiplier=ask["strength"]):
            found[f"steered.{number}"] = model(**inputs).logits[0].clone()

libraries = {name: version(name) for name in ("steering-vectors", "torch", "transformers")}
save_file(found, exchange / "steering-vectors.safetensors", metadata=libraries)
