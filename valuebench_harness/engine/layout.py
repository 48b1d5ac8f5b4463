"""Where a causal language model keeps its decoder blocks and their parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from valuebench_harness.engine.intervention import Site
from valuebench_harness.errors import UsageError

_FAMILIES = (
    (
        "Llama, Mistral, Mixtral, Qwen, Gemma, Phi, OLMo, Granite, Cohere, StableLM, DeepSeek and most others",
        "model.layers",
    ),
    ("GPT-2, GPT-J, GPT-Neo, CodeGen, StarCoder, Falcon, BLOOM", "transformer.h"),
    ("GPT-NeoX, Pythia", "gpt_neox.layers"),
    ("OPT", "model.decoder.layers"),
    ("MPT", "transformer.blocks"),
    ("multimodal", "model.language_model.layers"),
    ("multimodal, older", "language_model.model.layers"),
)
"""Families and the path of their blocks, tried in this order."""

# Parts by their path in a block; the first that is there counts. The inner module stands before its wrapper
# where a wrapper (of BLOOM and MPT) adds the residual stream to what it returns; elsewhere the two are equal.
_SELF_ATTENTION = (
    "self_attention.dense",
    "self_attn",
    "attn",
    "attention",
    "self_attention",
    "multi_head_attention",
    "norm_attn_norm.attn",
)
_MIXERS = (*_SELF_ATTENTION, "linear_attn", "conv", "mamba")
_MLP = (
    "mlp.dense_4h_to_h",
    "ffn.down_proj",
    "mlp",
    "ffn",
    "feed_forward",
    "block_sparse_moe",
    "moe",
    "mlp_block",
    "fc2",
)
_HEADS = tuple(
    f"{attention}.{projection}"
    for attention in (*_SELF_ATTENTION, "attn.attention")
    for projection in ("o_proj", "out_proj", "c_proj", "dense", "Wo", "wo")
)


@dataclass(frozen=True)
class Layout:
    """The modules at which hidden states are read and changed.

    Attributes:
        path: dotted path of the blocks in the model.
        blocks: the decoder blocks, first to last.
        attention: for each block the module that returns what its self-attention, or the linear attention
            or convolution in its place, adds to the residual stream (before a post-norm or multiplier, where
            there is one); None where it has none.
        mlp: the same for its MLP or mixture of experts.
        heads: each block's output projection, whose input is the concatenated attention heads;
            None where there is none.
        width: the width of the hidden states.
        n_heads: the number of attention heads, None where the configuration does not say.
    """

    path: str
    blocks: tuple[nn.Module, ...]
    attention: tuple[nn.Module | None, ...]
    mlp: tuple[nn.Module | None, ...]
    heads: tuple[nn.Module | None, ...]
    width: int
    n_heads: int | None

    @property
    def n_layers(self) -> int:
        """The number of decoder blocks."""
        return len(self.blocks)

    def module(self, layer: int, site: Site) -> nn.Module:
        """The module that is hooked for a site: its output is the state, for ``input`` and ``heads`` its input.

        Raises:
            UsageError: the model has no such layer, or the block no such site.
        """
        if not 0 <= layer < self.n_layers:
            raise UsageError(f"Layer {layer} is out of range: the model has layers 0 to {self.n_layers - 1}.")
        modules = {
            "block": self.blocks,
            "input": self.blocks,
            "attention": self.attention,
            "heads": self.heads,
            "mlp": self.mlp,
        }
        module = modules[site][layer]
        if module is None:
            raise UsageError(f"Block {layer} ({type(self.blocks[layer]).__name__}) has no '{site}' module to steer.")
        return module

    def site_width(self, layer: int, site: Site) -> int:
        """The width of the states at a site; that of ``heads`` may differ from the residual stream's.

        Raises:
            UsageError: as for :meth:`module`.
        """
        module = self.module(layer, site)
        return _inputs(module) if site == "heads" else self.width

    def head_width(self, layer: int) -> int:
        """The width of one attention head: of its part of the states at the site ``heads``.

        Raises:
            UsageError: the block has no such site, or the number of its heads is not known.
        """
        width = self.site_width(layer, "heads")
        if not self.n_heads or width % self.n_heads:
            raise UsageError(f"The number of attention heads in block {layer} is not known, so none can be told apart.")
        return width // self.n_heads


def find_layout(model: PreTrainedModel, blocks: str | None = None) -> Layout:
    """Finds the decoder blocks of a model.

    The paths of known families are tried in order; after them, a list of as many modules as
    the configuration has layers, each with an attention, if there is only one such list.

    Args:
        model: any causal language model of transformers.
        blocks: the dotted path of the blocks, where neither finds them.

    Raises:
        UsageError: no blocks are found.
    """
    known = [blocks] if blocks else [path for _, path in _FAMILIES]
    for path in known if blocks else [*known, *_by_structure(model)]:
        modules = _at(model, path)
        if isinstance(modules, nn.ModuleList) and len(modules):
            return _layout(model, path, tuple(modules))
    lists = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    raise UsageError(
        f"No decoder blocks found in {type(model).__name__} (looked at {', '.join(known)}). "
        f"Name them, as in --blocks model.layers; its module lists: {', '.join(lists[:8]) or 'none'}."
    )


def _layout(model: PreTrainedModel, path: str, blocks: tuple[nn.Module, ...]) -> Layout:
    config = model.config.get_text_config()
    n_heads = getattr(config, "num_attention_heads", None)
    return Layout(
        path=path,
        blocks=blocks,
        attention=tuple(_part(block, _MIXERS) for block in blocks),
        mlp=tuple(_part(block, _MLP) for block in blocks),
        heads=tuple(_part(block, _HEADS) for block in blocks),
        width=int(config.hidden_size),
        n_heads=n_heads if isinstance(n_heads, int) else None,
    )


def _by_structure(model: PreTrainedModel) -> Iterator[str]:
    """The path of the only module list that looks like the decoder's blocks."""
    n_layers = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    found = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == n_layers
        and all(_part(block, _MIXERS) is not None for block in module)
    ]
    if len(found) == 1:
        yield found[0]


def _inputs(projection: nn.Module) -> int:
    """The width a linear map reads, whether an ordinary, a quantised or GPT-2's transposed one."""
    for name in ("in_features", "infeatures", "nx"):
        width = getattr(projection, name, None)
        if isinstance(width, int):
            return width
    raise UsageError(f"The width that {type(projection).__name__} reads is not known, so heads cannot be steered.")


def _at(node: object, path: str) -> object:
    for name in path.split("."):
        node = getattr(node, name, None)
    return node


def _part(block: nn.Module, paths: Sequence[str]) -> nn.Module | None:
    for path in paths:
        module = _at(block, path)
        if isinstance(module, nn.Module):
            return module
    return None
