"""The losses of torch.nn between embeddings, distances and ranks.

Source: https://docs.pytorch.org/docs/stable/nn.html#loss-functions, held against torch by tests.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract, RawForm

_OLD = ("size_average", "reduce", "reduction")
_MEAN = (("reduction", "mean"),)
_PAIR = ("input1", "input2", "target")
_TRIPLET = ("anchor", "positive", "negative")

MARGIN_RANKING = LossContract(
    key="margin_ranking",
    title="MarginRankingLoss",
    module="torch.nn.MarginRankingLoss",
    function="torch.nn.functional.margin_ranking_loss",
    input=b.REAL,
    target=b.SIGN,
    doc=b.doc_url("torch.nn.MarginRankingLoss"),
    module_params=("margin", *_OLD),
    function_params=(*_PAIR, "margin", *_OLD),
    forward_params=_PAIR,
    input_arg="input1",
    target_position=2,
    inputs=("input1", "input2"),
    aliases=b.module_aliases("MarginRankingLoss"),
    raw=(RawForm("torch.margin_ranking_loss", (*_PAIR, "margin", "reduction")),),
    on_broadcast=b.BROADCAST,
    integer_target=b.PROMOTE,
    defaults=(("margin", 0.0), *_MEAN),
)

HINGE_EMBEDDING = LossContract(
    key="hinge_embedding",
    title="HingeEmbeddingLoss",
    module="torch.nn.HingeEmbeddingLoss",
    function="torch.nn.functional.hinge_embedding_loss",
    input=b.REAL,  # distances
    target=b.SIGN,
    doc=b.doc_url("torch.nn.HingeEmbeddingLoss"),
    module_params=("margin", *_OLD),
    function_params=("input", "target", "margin", *_OLD),
    aliases=b.module_aliases("HingeEmbeddingLoss"),
    raw=(RawForm("torch.hinge_embedding_loss", ("input", "target", "margin", "reduction")),),
    raises_on_size=b.BROADCAST,
    on_broadcast=b.BROADCAST,
    integer_target=b.PROMOTE,
    bool_target=b.PROMOTE,
    defaults=(("margin", 1.0), *_MEAN),
)

COSINE_EMBEDDING = LossContract(
    key="cosine_embedding",
    title="CosineEmbeddingLoss",
    module="torch.nn.CosineEmbeddingLoss",
    function="torch.nn.functional.cosine_embedding_loss",
    input=b.REAL,
    target=b.SIGN,
    doc=b.doc_url("torch.nn.CosineEmbeddingLoss"),
    module_params=("margin", *_OLD),
    function_params=(*_PAIR, "margin", *_OLD),
    forward_params=_PAIR,
    input_arg="input1",
    target_position=2,
    inputs=("input1", "input2"),
    aliases=b.module_aliases("CosineEmbeddingLoss"),
    raw=(RawForm("torch.cosine_embedding_loss", (*_PAIR, "margin", "reduction")),),
    integer_target=b.PROMOTE,
    bool_target=b.PROMOTE,
    symmetric_inputs=True,
    defaults=(("margin", 0.0), *_MEAN),
)

TRIPLET_MARGIN = LossContract(
    key="triplet_margin",
    title="TripletMarginLoss",
    module="torch.nn.TripletMarginLoss",
    function="torch.nn.functional.triplet_margin_loss",
    input=b.REAL,
    target=b.NO_TARGET,
    doc=b.doc_url("torch.nn.TripletMarginLoss"),
    module_params=("margin", "p", "eps", "swap", *_OLD),
    function_params=(*_TRIPLET, "margin", "p", "eps", "swap", *_OLD),
    forward_params=_TRIPLET,
    input_arg="anchor",
    target_arg="",
    inputs=_TRIPLET,
    aliases=b.module_aliases("TripletMarginLoss"),
    raw=(RawForm("torch.triplet_margin_loss", (*_TRIPLET, "margin", "p", "eps", "swap", "reduction")),),
    on_broadcast=b.BROADCAST,
    defaults=(("margin", 1.0), ("p", 2.0), ("eps", 1e-6), ("swap", False), *_MEAN),
)

TRIPLET_MARGIN_WITH_DISTANCE = LossContract(
    key="triplet_margin_with_distance",
    title="TripletMarginWithDistanceLoss",
    module="torch.nn.TripletMarginWithDistanceLoss",
    function="torch.nn.functional.triplet_margin_with_distance_loss",
    input=b.REAL,
    target=b.NO_TARGET,
    doc=b.doc_url("torch.nn.TripletMarginWithDistanceLoss"),
    module_params=("distance_function", "margin", "swap", "reduction"),
    module_keyword_only=("distance_function", "margin", "swap", "reduction"),
    function_params=(*_TRIPLET, "distance_function", "margin", "swap", "reduction"),
    function_keyword_only=("distance_function", "margin", "swap", "reduction"),
    forward_params=_TRIPLET,
    input_arg="anchor",
    target_arg="",
    inputs=_TRIPLET,
    aliases=b.module_aliases("TripletMarginWithDistanceLoss"),
    on_broadcast=b.BROADCAST,
    deprecated=(),
    defaults=(("distance_function", None), ("margin", 1.0), ("swap", False), *_MEAN),
)

ALL = (MARGIN_RANKING, HINGE_EMBEDDING, COSINE_EMBEDDING, TRIPLET_MARGIN, TRIPLET_MARGIN_WITH_DISTANCE)
