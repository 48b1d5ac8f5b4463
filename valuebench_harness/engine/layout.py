"""Where a causal language model keeps its decoder blocks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from valuebench_harness.engine.intervention import Site
from valuebench_harness.errors import UsageError

_BLOCKS = (
    ("Llama, Mistral, Qwen, Gemma, Phi", "model.layers"),
    ("GPT-2, Falcon, BLOOM", "transformer.h"),
    ("GPT-NeoX, Pythia", "gpt_neox.layers"),
    ("OPT", "model.decoder.layers"),
    ("MPT, DBRX", "transformer.blocks"),
    ("multimodal", "model.language_model.layers"),
    ("multimodal, older", "language_model.model.layers"),
)
"""Families and the path of their blocks, tried in this order."""

_ATTENTION = ("self_attn", "attn", "attention", "self_attention")
_MLP = ("mlp", "ffn", "feed_forward", "block_sparse_moe")


@dataclass(frozen=True)
class Layout:
    """The modules whose outputs are hidden states.

    Attributes:
        path: dotted path of the blocks in the model.
        blocks: the decoder blocks, first to last.
        attention: each block's self-attention module, None where it has none.
        mlp: each block's MLP, None where it has none.
        width: the width of the hidden states.
    """

    path: str
    blocks: tuple[nn.Module, ...]
    attention: tuple[nn.Module | None, ...]
    mlp: tuple[nn.Module | None, ...]
    width: int

    @property
    def n_layers(self) -> int:
        """The number of decoder blocks."""
        return len(self.blocks)

    def module(self, layer: int, site: Site) -> nn.Module:
        """The module whose output is the state at a site.

        Raises:
            UsageError: the model has no such layer, or the block no such site.
        """
        if not 0 <= layer < self.n_layers:
            raise UsageError(f"Layer {layer} is out of range: the model has layers 0 to {self.n_layers - 1}.")
        module = {"block": self.blocks, "attention": self.attention, "mlp": self.mlp}[site][layer]
        if module is None:
            raise UsageError(f"Block {layer} ({type(self.blocks[layer]).__name__}) has no '{site}' module to steer.")
        return module


def find_layout(model: PreTrainedModel, blocks: str | None = None) -> Layout:
    """Finds the decoder blocks of a model.

    Args:
        model: any causal language model of transformers.
        blocks: the dotted path of the blocks, where the known families do not fit.

    Raises:
        UsageError: no blocks are found.
    """
    paths = [blocks] if blocks else [path for _, path in _BLOCKS]
    for path in paths:
        modules = _at(model, path)
        if isinstance(modules, nn.ModuleList) and len(modules):
            found = tuple(modules)
            return Layout(
                path=path,
                blocks=found,
                attention=tuple(_child(block, _ATTENTION) for block in found),
                mlp=tuple(_child(block, _MLP) for block in found),
                width=int(model.config.get_text_config().hidden_size),
            )
    lists = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    raise UsageError(
        f"No decoder blocks found in {type(model).__name__} (looked at {', '.join(paths)}). "
        f"Name them, as in --blocks model.layers; its module lists: {', '.join(lists[:8]) or 'none'}."
    )


def _at(model: nn.Module, path: str) -> object:
    node: object = model
    for name in path.split("."):
        node = getattr(node, name, None)
    return node


def _child(block: nn.Module, names: tuple[str, ...]) -> nn.Module | None:
    for name in names:
        module = getattr(block, name, None)
        if isinstance(module, nn.Module):
            return module
    return None
