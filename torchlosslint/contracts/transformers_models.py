"""The models of Hugging Face transformers: what their output objects hold. Read from transformers 5.23.0.

An output is an object: by attribute, by key, and by index over the fields that are not None, so that index 0
is the loss where labels were passed. Every class has `from_pretrained` and `from_config`.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.architectures import LABELS, OBJECT, Architecture, OutputField

_LOSS = OutputField("loss", 0, b.REAL, LABELS)


def _names(*suffixes: str) -> tuple[str, ...]:
    """transformers.<Anything>For<Suffix>, made in any of the three ways, at any of the three depths."""
    places = ("transformers", "transformers.models.*", "transformers.models.*.*")
    ways = ("", ".from_pretrained", ".from_config", "._from_config")
    return tuple(f"{place}.{s}{way}" for s in suffixes for place in places for way in ways)


def _object(
    *suffixes: str, heads: tuple[str, ...] = (), class_dim: int = -1, logits: tuple[str, ...] = ("logits",)
) -> Architecture:
    fields = tuple(OutputField(name, i + 1, b.LOGITS) for i, name in enumerate(logits))
    return Architecture(
        patterns=_names(*suffixes),
        kind=OBJECT,
        fields=(_LOSS, *fields),
        heads=heads,
        class_dim=class_dim,
        classes_param="num_labels",
    )


HEADED = (
    _object("*ForSequenceClassification", heads=("classifier", "score"), class_dim=1),  # (N, C)
    _object("*ForTokenClassification", heads=("classifier",)),  # (N, T, C)
    _object("*ForImageClassification", "*ForVideoClassification", heads=("classifier",), class_dim=1),
    _object("*ForAudioClassification", heads=("classifier",), class_dim=1),
    _object("*ForMultipleChoice", heads=("classifier",), class_dim=1),  # (N, choices)
    _object("*ForNextSentencePrediction", class_dim=1),
    _object("*ForSemanticSegmentation", class_dim=1),  # (N, C, H/4, W/4)
    _object("*ForQuestionAnswering", heads=("qa_outputs",), logits=("start_logits", "end_logits")),  # (N, T)
    _object("*ForMaskedLM", heads=("cls", "lm_head")),  # (N, T, V)
    _object("*ForCausalLM", "*LMHeadModel", "*ForConditionalGeneration", heads=("lm_head",)),
    _object("AutoModelForSeq2SeqLM", heads=("lm_head",)),
    _object(
        "BertForPreTraining",
        "MegatronBertForPreTraining",
        logits=("prediction_logits", "seq_relationship_logits"),
    ),
    _object("*ForCTC", heads=("lm_head",)),  # (N, T, V): log_softmax and a transpose are still to come
)

# Base models whose pooler ends in tanh: pooler_output (N, H) is within [-1, 1].
_TANH = (
    *("Bert", "Roberta", "XLMRoberta", "XLMRobertaXL", "Camembert", "MegatronBert", "RemBert", "Ernie"),
    *(
        "Longformer",
        "LayoutLM",
        "LayoutLMv2",
        "Data2VecText",
        "MPNet",
        "Luke",
        "SqueezeBert",
        "FNet",
        "IBert",
    ),
    *("Canine", "Xmod", "RoCBert", "RobertaPreLayerNorm", "MarkupLM", "Lilt", "Tapas", "VisualBert", "Vilt"),
    *("ChineseCLIPText", "ClapText", "AlignText", "BlipText", "Esm", "Bros", "NomicBert"),
)
# Called ...Model, and return something else.
_NOT_BASES = frozenset(
    name + "Model"
    for name in (
        *("PreTrained", "EncoderDecoder", "VisionEncoderDecoder", "SpeechEncoderDecoder", "Rag", "LlavaNext"),
        *("CLIP", "ChineseCLIP", "AltCLIP", "Siglip", "Siglip2", "Align", "Clap", "CLIPSeg", "Blip", "Blip2"),
        *("VisionTextDualEncoder", "XCLIP", "OwlViT", "Owlv2", "GroupViT", "Flava", "BridgeTower", "Lxmert"),
        *(
            "GPT2DoubleHeads",
            "OpenAIGPTDoubleHeads",
            "XLMWithLMHead",
            "XLNetLMHead",
            "Sam",
            "Sam2",
            "EsmFold",
        ),
    )
)
_HIDDEN = OutputField("last_hidden_state", 0, b.REAL)  # (N, T, H)

BASES = (
    Architecture(
        patterns=_names(*(f"{name}Model" for name in _TANH)),
        kind=OBJECT,
        fields=(_HIDDEN, OutputField("pooler_output", 1, b.REAL, low=-1.0, high=1.0)),
        class_dim=None,
    ),
    Architecture(
        patterns=_names("*Model", "AutoModel"),  # a pooler's activation depends on the family
        kind=OBJECT,
        fields=(_HIDDEN, OutputField("pooler_output", 1, b.ANY)),
        class_dim=None,
        except_names=_NOT_BASES,
    ),
)

ALL: tuple[Architecture, ...] = (*HEADED, *BASES)
