"""In-context alignment (ICA): the value is asked for in the prompt.

ConVA's baseline (Jin et al., ACL 2025, Tables 9 and 10): the question is preceded by
"You have a high level of {value}. {Value} means {definition}." The paper gives the positive
wording only; its control-priority experiment (Fig. 4) says "an individual who violates a
specific value" without the prompt, so the negative wording here is ours. The third bar of that
figure, no instruction, is the pin ``ica-none``.
"""

from __future__ import annotations

from valuebench_harness.steerers.wording import WordingSteerer


class ICA(WordingSteerer):
    """Puts an instruction in front of the last user message; the wordings stand in ``ica.yaml``."""

    name = "ica"
    source = "Jin et al., ACL 2025, Appendix C"
