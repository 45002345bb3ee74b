"""What is known of the classes of public data sets."""

from __future__ import annotations

# Of these, and of what scikit-learn makes, the sets whose largest class is ten times the smallest one, or
# as many times as the program asks for: what is said of them.
IMBALANCED = {
    "GTSRB": "the largest class of GTSRB has ten times the samples of the smallest one",
    "Caltech256": "the largest class of Caltech256 has ten times the samples of the smallest one",
    "EMNIST byclass": "the classes of EMNIST by class differ by more than ten times",
    "EMNIST bymerge": "the classes of EMNIST by merge differ by more than ten times",
    "make_classification by weights": "make_classification is asked for classes of very different sizes",
}
OWN = frozenset({"ImageFolder", "DatasetFolder"})  # whose images they are is for the program to say
