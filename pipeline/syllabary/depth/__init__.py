"""Front page to be written by its room."""
