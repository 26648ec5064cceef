"""Picture of the report for the README: syllables and crowd movies of the first model.

    make picture        after `make demo`; needs chromium

Everything before the table of syllables is hidden, and so are the rows that do not fit.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1180, 1284
ROWS = 6
LARGEST_KB = 300
SCRIPT = f"""<script>{{
  const hideBefore = (element) => {{
    while ((element = element.previousElementSibling)) element.style.display = "none";
  }};
  const panel = document.querySelector("[data-panel]");
  hideBefore(document.querySelector("main nav.tabs"));
  hideBefore([...panel.querySelectorAll("h2")].find((h) => h.textContent.startsWith("Syllables")));
  [...panel.querySelector("table.sortable tbody").rows].slice({ROWS}).forEach((row) => row.remove());
}}</script></body>"""


def main(report: Path, picture: Path) -> None:
    """Write the picture (.jpg) of a report (index.html)."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no chromium: install it with 'apt-get install chromium'")
    if not report.is_file():
        sys.exit(f"{report}: no report; run 'make demo' first")
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder, "page.html"), Path(folder, "shot.png")
        page.write_text(report.read_text("utf-8").replace("</body>", SCRIPT), "utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{HEIGHT}"]
        command += ["--virtual-time-budget=8000", f"--screenshot={shot}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        image = Image.open(shot).convert("RGB")
        for quality in range(90, 30, -5):
            image.save(picture, quality=quality, optimize=True)
            if picture.stat().st_size <= LARGEST_KB * 1024:
                return
    sys.exit(f"{picture}: more than {LARGEST_KB} KB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
