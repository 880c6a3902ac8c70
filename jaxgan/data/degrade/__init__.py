"""What is done to images so that they can be restored: pure functions of a key and an image.

Every example of a batch has a key of its own, a function of (seed, step, global index): what is done to it depends
neither on the number of devices nor on where a run was interrupted.
"""

from jaxgan.data.degrade.base import Chain, Degradation
from jaxgan.data.degrade.chain import DEGRADATIONS, chain_of
from jaxgan.data.degrade.source import Degraded, degraded, spec_with

__all__ = ["DEGRADATIONS", "Chain", "Degradation", "Degraded", "chain_of", "degraded", "spec_with"]
