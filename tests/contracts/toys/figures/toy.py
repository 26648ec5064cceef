"""How many syllables each model uses."""

from matplotlib.figure import Figure

__all__ = ["draw"]

TITLE = "Syllables in use"
SCOPE = "study"
NEEDS = "a model with syllables"
CAPTION = "A bar is the number of syllables that a model uses."


def draw(view, settings):
    """Draw a bar for each model."""
    counts = {model.name: len(model.syllables(settings.max_syllables)) for model in view.study.models}
    if not any(counts.values()):
        return None
    figure = Figure()
    axes = figure.subplots()
    axes.bar(list(counts), list(counts.values()))
    axes.set(xlabel="model (name)", ylabel="syllables (number)")
    return figure
