"""An autoencoder that sae-lens trained and saved drives ``sae``. Importing sae-lens takes many seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.steerers.fitted import fit_context, steer_request
from tests.steerers.test_sae import phrase_states
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.sae_weights import fetch_sae, make_sae, read_sae

pytestmark = pytest.mark.slow

LAYER = 2


def dictionary(model: SteeredModel) -> np.ndarray:
    """Sixteen directions that superpose in the training states; the first is that of the phrase's own states."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(16, model.width))
    directions[0] = phrase_states(model).mean(axis=0)
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True), dtype=np.float32)


def train(sae_lens: Any, model: SteeredModel, directions: np.ndarray, folder: Path) -> Any:
    """Trains a small autoencoder on sparse mixtures of the directions and saves it."""
    generator = torch.Generator().manual_seed(0)
    table = torch.from_numpy(directions)
    norm = float(np.linalg.norm(phrase_states(model), axis=1).mean())

    def batches() -> Iterator[torch.Tensor]:
        while True:
            on = torch.rand(256, len(table), generator=generator) < 0.1
            size = norm * (0.5 + torch.rand(256, len(table), generator=generator))
            yield (on * size) @ table

    torch.manual_seed(0)
    config = sae_lens.StandardTrainingSAEConfig(d_in=model.width, d_sae=32, l1_coefficient=1.0)
    config.metadata.hook_name = f"blocks.{LAYER}.hook_resid_post"
    config.metadata.model_name = Path(model.name).name
    trainer = sae_lens.SAETrainer(
        cfg=sae_lens.config.SAETrainerConfig(
            total_training_samples=256 * 1500, train_batch_size_samples=256, lr=3e-3, lr_end=3e-4
        ),
        sae=sae_lens.StandardTrainingSAE(config),
        data_provider=batches(),
    )
    trainer.fit()
    trainer.sae.save_inference_model(str(folder))
    return trainer.sae


def test_a_trained_autoencoder_drives_the_method(tmp_path: Path) -> None:
    sae_lens = pytest.importorskip("sae_lens", reason="sae-lens is in the extra 'sae'")
    model = load(str(build_checkpoint(tmp_path / "model")), device="cpu")
    directions = dictionary(model)
    train(sae_lens, model, directions, tmp_path / "sae")
    sae, theirs = read_sae(tmp_path / "sae"), sae_lens.SAE.load_from_disk(str(tmp_path / "sae"))

    x = torch.from_numpy(phrase_states(model))
    assert sae.activations(x.numpy()) == pytest.approx(theirs.encode(x).detach().numpy(), abs=1e-3)
    config, arrays = theirs.cfg.to_dict(), {k: v.detach().numpy() for k, v in theirs.state_dict().items()}
    assert np.array_equal(make_sae("again", config, arrays).decoder, sae.decoder)

    steerer = make_steerer("sae", {"path": tmp_path / "sae", "select": "phrase"})
    artifact = steerer.fit(fit_context(model))
    assert artifact is not None
    chosen: Any = artifact.meta.settings["chosen"]
    units = sae.decoder / np.linalg.norm(sae.decoder, axis=1, keepdims=True)
    cosines = units @ directions.T
    assert cosines[chosen["positive"][0]].argmax() == 0, "the feature of the planted direction"
    assert cosines[chosen["positive"][0], 0] > 0.9
    plan = steerer.plan(steer_request(model, 100.0), artifact).plan
    assert not plan.is_empty


def test_an_unknown_release_is_named() -> None:
    pytest.importorskip("sae_lens", reason="sae-lens is in the extra 'sae'")
    with pytest.raises(UsageError, match="sae-lens cannot load 'x' of release 'no-such-release'"):
        fetch_sae("no-such-release", "x")
