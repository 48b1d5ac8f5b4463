"""The documents of the lm-eval tasks, read from shipped data or from the user's copies.

Each function is a task's ``custom_dataset``: lm-eval calls it with the task's ``dataset_kwargs``
and with all of its metadata, of which nothing is needed here.
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


def dilemmas(family: str, value: str, **_metadata: Any) -> Splits:
    """Test dilemmas of one value of a shipped family."""
    return {"test": _documents(load_dataset(family).dilemmas(value, "test"))}


def mini_exam(**_metadata: Any) -> Splits:
    """The fact exam of the built-in model."""
    return {"test": _documents(load_dataset("mini").exam())}


def conva(value: str, **_metadata: Any) -> Splits:
    """ConVA's open questions on one value."""
    return {"test": _documents(conva_data.questions(value))}


def valuebench(value: str, **_metadata: Any) -> Splits:
    """ValueBench's items on one value."""
    return {"test": _documents(valuebench_data.questionnaire(value))}


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
