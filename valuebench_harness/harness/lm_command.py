"""lm-eval's own command line with our models in it: ``vharness lm-eval --model vharness --model_args ...``.

``--model_args`` takes ``pretrained`` (``mini``, a folder or a hub id), ``steerer``, ``value`` and the other keys
of a run that concern the model and the method; ``settings.KEY`` and ``gate_settings.KEY`` are settings of the
method and of its gate. One command runs one condition: one value (or several with weights) at one strength.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import lm_eval.models  # noqa: F401 - registers lm-eval's own models, which would refuse to come after ours
from lm_eval.api.registry import register_model

from valuebench_harness.errors import UsageError, VharnessError, unknown_name
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.config import RunConfig, make_config
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.lm import SteeredLM
from valuebench_harness.harness.lm_eval_tasks import methods_of
from valuebench_harness.harness.plan import make_method, plan_for, steered_specs
from valuebench_harness.harness.preparation import prepare
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import BASE
from valuebench_harness.harness.session import load_model
from valuebench_harness.tasks import include_path

if TYPE_CHECKING:
    from valuebench_harness.harness.lm_prompts import Method

NAME = "vharness"

NAMES = {"pretrained": "model", "value": "values"}
"""Names of lm-eval's custom for keys of a run."""

LM_EVAL_DEVICE = "cuda:0"
"""What lm-eval gives where the user names no device, with a GPU or without; the engine finds one itself."""

LM_EVAL_BATCH_SIZE = "1"
"""What lm-eval gives where the user names no size; here a size never changes an answer, and none is faster."""

OF_THE_TASK = {
    *("tasks", "include_path", "judge", "judge_settings", "split", "limit", "n_samples", "temperature"),
    *("max_new_tokens", "system_prompt", "max_unscored", "tune", "tune_target", "match_kl", "model_url"),
    *("report", "graph"),
}
"""Keys of a run that lm-eval has options of its own for, or no use."""


@register_model(NAME)
class CommandLineLM(SteeredLM):
    """A steered model made from ``--model_args``."""

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> SteeredLM:
        """Loads the model, fits the method and its gate.

        Raises:
            UsageError: an unknown key, or a value or strength too many.
        """
        config = config_of(arg_dict, additional_config or {})
        family, method = family_of(config), make_method(config)
        steered = method.steerer.name != BASE.steerer
        if steered and config.values is None:
            raise UsageError(f"'{method.steerer.name}' steers a value: add value=security to --model_args.")
        plan = plan_for(config, family, method, steered_specs(config, family), [])
        if len(plan.conditions) > 1 + steered:
            raise UsageError(
                "lm-eval runs one condition: give --model_args one value (or several with weights, a:1+b:-0.5) and one "
                "strength."
            )
        model, report = load_model(config), Reporter(quiet=not sys.stderr.isatty())
        prepared = prepare(plan, model, Cache(), report)
        methods: tuple[Method, ...] = methods_of(plan.conditions[-1], plan, prepared)
        return cls(
            model, methods, states=prepared.states, seed=config.seed, batch_size=config.batch_size, report=report
        )

    @classmethod
    def create_from_arg_string(cls, arg_string: str, additional_config: dict[str, Any] | None = None) -> SteeredLM:
        """The same from ``key=value,key=value``."""
        from lm_eval.utils import simple_parse_args_string

        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)


def config_of(arguments: Mapping[str, Any], more: Mapping[str, Any]) -> RunConfig:
    """The configuration that ``--model_args`` names.

    Args:
        arguments: as lm-eval parsed them.
        more: lm-eval's ``--batch_size`` and ``--device``.

    Raises:
        UsageError: an unknown key, or a value of the wrong kind.
    """
    known = [*NAMES, *(set(RunConfig.model_fields) - OF_THE_TASK)]
    found: dict[str, Any] = {}
    for key, value in arguments.items():
        group, dot, setting = key.partition(".")
        if dot and group in ("settings", "gate_settings"):
            found.setdefault(group, {})[setting] = value
        elif key in known:
            found[NAMES.get(key, key)] = value
        else:
            raise unknown_name("key of --model_args", key, known)
    if more.get("device") not in {None, LM_EVAL_DEVICE}:
        found.setdefault("device_map", str(more["device"]))
    batch_size = str(more.get("batch_size"))
    if batch_size.isdecimal() and batch_size != LM_EVAL_BATCH_SIZE:  # 'auto' is what no size means here
        found.setdefault("batch_size", int(batch_size))
    return make_config(**found)


def run(arguments: Sequence[str]) -> None:
    """Runs lm-eval's command line in this process.

    Args:
        arguments: what follows ``vharness lm-eval``. This package's own tasks are found where no
            ``--include_path`` is given.

    Raises:
        UsageError: lm-eval refuses the input, or an option would give wrong results with a steered model.
    """
    from lm_eval.__main__ import cli_evaluate

    if any(a.partition("=")[0] == "--cache_requests" for a in arguments):
        raise UsageError(
            "--cache_requests keeps prompts without the conversations that they were made from, which a steered "
            "model needs. Leave it out: answers are cached anyway."
        )
    given = {a.partition("=")[0] for a in arguments}
    own_tasks = [] if given & {"--include_path", "-h", "--help", "ls", "validate"} or not arguments else _own_tasks()
    before, sys.argv = sys.argv, ["lm-eval", *arguments, *own_tasks]
    try:
        cli_evaluate()
    except VharnessError:
        raise
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise UsageError(f"lm-eval: {type(error).__name__}: {' '.join(str(error).split())}") from error
    finally:
        sys.argv = before


def _own_tasks() -> list[str]:
    return ["--include_path", str(include_path())]
