"""List the violations of a checkout: ``python -m repository [ROOT [FOLDER ...]]``."""

import sys
from pathlib import Path

from repository.checks import CHECKS

root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
folders = tuple(sys.argv[2:])
total = 0
for check in CHECKS:
    violations = [v for v in check(root) if not folders or v.path.startswith(folders)]
    total += len(violations)
    print(f"== {check.__name__}: {len(violations)}")
    print("".join(f"{violation}\n" for violation in violations), end="")
sys.exit(total > 0)
