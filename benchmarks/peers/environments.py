"""Environments of their own for peers whose library versions do not go with ours."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """A library and the script that runs it.

    Attributes:
        name: of the library.
        requirements: what pip installs.
        script: in this folder; gets the folder of the exchange as its only argument.
    """

    name: str
    requirements: tuple[str, ...]
    script: str


PEERS = (
    Peer("steering-vectors", ("steering-vectors==0.12.2", "transformers<5", "torch"), "run_steering_vectors.py"),
    Peer("repeng", ("repeng==0.4.0", "numpy<2", "torch"), "run_repeng.py"),
)

GIES = Peer("gies", ("gies==0.0.3", "numpy"), "run_gies.py")


def python_of(peer: Peer, root: Path) -> Path:
    """The interpreter of a peer's environment, which is made where it is missing."""
    folder = root / peer.name
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.is_file():
        print(f"making an environment for {', '.join(peer.requirements)} in {folder} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *peer.requirements], check=True)
        ready.touch()
    return python


def run(peer: Peer, root: Path, exchange: Path) -> None:
    """Runs a peer's script in its environment; what it says is shown where it fails."""
    done = subprocess.run(
        [python_of(peer, root), HERE / peer.script, exchange], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{peer.name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
