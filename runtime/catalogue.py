"""The codes that the guard uses: those of the rules, and a family of its own for what only numbers show."""

from __future__ import annotations

# Held against the rules by a test: the guard never loads them.
CODES: dict[str, tuple[str, str]] = {
    "TLL101": ("softmax-before-cross-entropy", "error"),
    "TLL102": ("log-softmax-before-cross-entropy", "warning"),
    "TLL103": ("sigmoid-before-cross-entropy", "error"),
    "TLL104": ("sigmoid-before-bce-with-logits", "error"),
    "TLL105": ("softmax-before-bce-with-logits", "error"),
    "TLL106": ("clipped-logits", "error"),
    "TLL107": ("logits-into-bce", "error"),
    "TLL108": ("softmax-into-bce", "warning"),
    "TLL109": ("sigmoid-then-bce", "warning"),
    "TLL110": ("nll-without-log-softmax", "error"),
    "TLL111": ("kl-div-input", "error"),
    "TLL112": ("ctc-input", "error"),
    "TLL113": ("poisson-nll-input", "error"),
    "TLL114": ("gaussian-nll-variance", "error"),
    "TLL116": ("log-of-softmax", "warning"),
    "TLL117": ("softmax-wrong-dim", "error"),
    "TLL119": ("non-differentiable-input", "error"),
    "TLL201": ("mse-for-classification", "error"),
    "TLL202": ("cross-entropy-single-logit", "error"),
    "TLL203": ("cross-entropy-multi-label", "error"),
    "TLL301": ("one-hot-target", "error"),
    "TLL302": ("target-dtype", "error"),
    "TLL303": ("target-shape", "error"),
    "TLL304": ("broadcast", "error"),
    "TLL305": ("swapped-arguments", "error"),
    "TLL306": ("target-range", "error"),
    "TLL403": ("bad-weight", "error"),
    "TLL501": ("loss-constructor-called-with-tensors", "error"),
    "TLL502": ("criterion-not-instantiated", "error"),
    "TLL503": ("deprecated-argument", "warning"),
    "TLL504": ("kl-div-reduction", "warning"),
    "TLL505": ("bce-under-autocast", "error"),
    "TLL506": ("unreduced-backward", "error"),
    "TLL507": ("detached-loss", "error"),
    # Seen by the guard alone.
    "TLL701": ("non-finite-values", "error"),
    "TLL702": ("every-target-ignored", "warning"),
    "TLL703": ("ctc-lengths", "error"),
    "TLL704": ("negative-loss", "error"),
    "TLL705": ("device-mismatch", "error"),
}
OWN_FAMILY = "TLL7"
