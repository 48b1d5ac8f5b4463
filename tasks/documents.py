"""The documents of the lm-eval tasks, read from shipped data or from the user's copies.

Each function is a task's ``custom_dataset``: lm-eval calls it with the task's ``dataset_kwargs``
and with all of its metadata, of which nothing is needed here. The metadata hold the model's arguments too, so
that a task must not name its own as they are named: the value is ``about``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from valuebench_harness.data import conva as conva_data
from valuebench_harness.data import mmlu as mmlu_data
from valuebench_harness.data import valuebench as valuebench_data
from valuebench_harness.data.datasets import load_dataset

if TYPE_CHECKING:
    from datasets import Dataset

Splits = dict[str, "Dataset"]


def dilemmas(family: str, about: str, **_metadata: Any) -> Splits:
    """Test dilemmas of one value of a shipped family."""
    return {"test": _documents(load_dataset(family).dilemmas(about, "test"))}


def mini_exam(**_metadata: Any) -> Splits:
    """The fact exam of the built-in model."""
    return {"test": _documents(load_dataset("mini").exam())}


def conva(about: str, **_metadata: Any) -> Splits:
    """ConVA's open questions on one value."""
    return {"test": _documents(conva_data.questions(about))}


def valuebench(about: str, **_metadata: Any) -> Splits:
    """ValueBench's items on one value."""
    return {"test": _documents(valuebench_data.questionnaire(about))}


def mmlu(subject: str, **_metadata: Any) -> Splits:
    """An MMLU subject; ``dev`` holds the five items of few-shot prompts."""
    return {
        "test": _documents(mmlu_data.subject(subject, "test")),
        "dev": _documents(mmlu_data.subject(subject, "dev")),
    }


def _documents(items: Sequence[BaseModel]) -> Dataset:
    from datasets import Dataset

    documents: Dataset = Dataset.from_list([item.model_dump() for item in items])
    return documents
