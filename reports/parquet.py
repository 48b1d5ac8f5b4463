"""All samples of a run as one Parquet table, for notebooks and other tools."""

from __future__ import annotations

from pathlib import Path

from valuebench_harness.errors import IncompleteError
from valuebench_harness.harness.run import Answer, Run


def write_samples(run: Run, path: Path) -> Path:
    """Writes every sample with its document and verdicts, one row each.

    Text is written as the model said it; whoever shows it must treat it as untrusted.

    Args:
        run: a finished run.
        path: of the file, replaced whole.

    Raises:
        IncompleteError: where the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_row(a) for a in run.answers()], schema=_schema())
    temporary = path.with_name(path.name + ".part")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    except OSError as error:
        raise IncompleteError(
            f"{path} cannot be written: {error.strerror or error}. The run itself is complete; "
            "make room and write its reports again with 'vharness report'."
        ) from error
    return path


def _schema() -> object:
    import pyarrow as pa

    text, whole, number, flag = pa.string(), pa.int64(), pa.float64(), pa.bool_()
    pairs = pa.list_(pa.list_(whole))
    moved = pa.struct({"tokens": whole, "layers": pairs, "spans": pairs})
    return pa.schema(
        {
            "condition": text,
            "steerer": text,
            "value_steered": text,
            "direction": text,
            "strength": number,
            "gate": text,
            "document": text,
            "task": text,
            "kind": text,
            "value": text,
            "scene": text,
            "repeat": whole,
            "question": text,
            "prompt": text,
            "answer": text,
            "finish": text,
            "prompt_tokens": whole,
            "new_tokens": whole,
            "gate_score": number,
            "gate_open": flag,
            "steered": flag,
            "moved_prompt": moved,
            "moved_answer": moved,
            "choice": whole,
            "right": whole,
            "choice_logprobs": pa.list_(number),
            "aimed": flag,
            "csr": text,
            "csr_reason": text,
            "fr": text,
            "fr_reason": text,
            "stance": text,
            "stance_reason": text,
        }
    )


def _row(answer: Answer) -> dict[str, object]:
    sample, document, condition = answer.sample, answer.document, answer.condition
    row: dict[str, object] = {
        "condition": condition.id,
        "steerer": condition.steerer,
        "value_steered": condition.value,
        "direction": condition.direction,
        "strength": condition.strength,
        "gate": condition.gate,
        "document": document.id,
        "task": document.task,
        "kind": document.kind,
        "value": document.value,
        "scene": document.scene,
        "question": document.text,
        "right": document.answer,
        "aimed": answer.aimed,
        **sample.model_dump(exclude={"condition", "document"}),
    }
    for asks, verdict in answer.verdicts.items():
        row[asks], row[f"{asks}_reason"] = verdict.label, verdict.reason
    return row
