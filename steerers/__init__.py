"""Steering methods, one file each, behind one interface (:mod:`.base`)."""

from valuebench_harness.steerers.base import Direction, FitContext, Steered, Steerer, SteerRequest

__all__ = ["Direction", "FitContext", "SteerRequest", "Steered", "Steerer"]
