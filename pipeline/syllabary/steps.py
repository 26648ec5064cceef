"""One function per rule: paths in, paths out."""
