"""All checks, in the order in which they are listed."""

from repository import (
    docstrings,
    identifiers,
    imports,
    package_docstrings,
    sizes,
    spelling,
    typing_rules,
)

CHECKS = (
    identifiers.refused_words,
    identifiers.unused_exceptions,
    spelling.british_words,
    spelling.wide_prose,
    typing_rules.too_many_any,
    typing_rules.untyped_priors,
    docstrings.disagreements,
    package_docstrings.stale_reading_orders,
    sizes.long_files,
    sizes.long_texts,
    sizes.long_functions,
    sizes.few_tests,
    imports.private_imports,
    imports.absent_names,
    sizes.unused_exceptions,
    sizes.crowded_folders,
    imports.cycles,
)
