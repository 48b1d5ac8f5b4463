"""Running a steerer's own code: what it leaves behind on the model, and where in it an error arose.

A steerer only plans; yet its code may be handed the model to learn from it, and a hook that it
forgets there steers everything that comes later. What is left is noted and taken away at once, so
that one fault does not fail every other check.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


class Watch:
    """Looks at a model around calls of foreign code.

    Attributes:
        left: what was left on the model, in words.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self.left: list[str] = []

    @contextmanager
    def over(self, where: str) -> Iterator[None]:
        """Notes and removes hooks and replaced ``forward`` methods that the body leaves on the model.

        Args:
            where: names the body, such as ``plan()``.
        """
        hooks = {name: _hooks(module) for name, module in self._model.named_modules()}
        forwards = {name: vars(module).get("forward") for name, module in self._model.named_modules()}
        try:
            yield
        finally:
            for name, module in self._model.named_modules():
                for attribute in _HOOKS:
                    registered = getattr(module, attribute)
                    for key in [k for k in registered if (attribute, k) not in hooks.get(name, ())]:
                        del registered[key]
                        self._note(f"{where} left a hook on {name or 'the model'}")
                if vars(module).get("forward") is not forwards.get(name):
                    self._restore(module, forwards.get(name))
                    self._note(f"{where} left another forward method on {name or 'the model'}")

    def _restore(self, module: nn.Module, forward: object) -> None:
        if forward is None:
            del module.forward
        else:
            vars(module)["forward"] = forward

    def _note(self, text: str) -> None:
        if text not in self.left:
            self.left.append(text)


def count_hooks(model: nn.Module) -> int:
    """How many forward hooks there are on a model."""
    return sum(len(_hooks(module)) for module in model.modules())


def _hooks(module: nn.Module) -> set[tuple[str, int]]:
    return {(attribute, key) for attribute in _HOOKS for key in getattr(module, attribute)}


def in_words(error: BaseException) -> str:
    """Type and message of an error, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def own_frames(error: BaseException, steerer: type) -> str:
    """The part of a traceback that lies in the steerer's file or beside it; empty where there is none."""
    source = inspect.getsourcefile(steerer)
    if source is None:
        return ""
    folder = Path(source).resolve().parent
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve().parent == folder]
    return "".join(traceback.format_list(frames)).rstrip()
