"""Fill the README's table of results from reports that `merl evaluate` wrote.

`python scripts/record_results.py "PTB-XL superclasses=report.json" ...` writes one line for each
report between the README's markers, with the command that made them.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MARKERS = re.compile(r"(<!-- results(?::[^>]*)? -->\n).*?(<!-- /results -->)", re.DOTALL)
HEAD = "| data | classes | recordings | macro AUROC (95 % interval) |\n|---|---|---|---|\n"
COMMAND = "merl evaluate MANIFEST.csv --root DIR --label-set NAME -o REPORT.json"


def row(name: str, report: dict[str, Any]) -> str:
    """Return a line of the table."""
    low, high = report["macro_auroc_ci"]
    n_classes = sum(item["auroc"] is not None for item in report["classes"])
    figure = f"{report['macro_auroc']:.3f} ({low:.3f} to {high:.3f})"
    return f"| {name} | {n_classes} | {report['n_records']:,} | {figure} |\n"


def table(reports: dict[str, Path], command: str) -> str:
    """Return the table, and the command that makes such a report."""
    rows = [row(name, json.loads(path.read_text())) for name, path in reports.items()]
    return (
        HEAD + "".join(rows) + f"\nMade by `{command}`; macro AUROC over the classes that occur.\n"
    )


def filled(readme: str, content: str) -> str:
    """Return the README with the table between its markers.

    Raises:
        ValueError: It has no markers.
    """
    if not MARKERS.search(readme):
        msg = "README.md has no markers <!-- results --> and <!-- /results -->"
        raise ValueError(msg)
    return MARKERS.sub(lambda found: found[1] + content + found[2], readme)


def main() -> None:
    """Fill the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", metavar="NAME=REPORT.json")
    parser.add_argument("--command", default=COMMAND, help="The command that made the reports.")
    options = parser.parse_args()
    reports = {}
    for item in options.reports:
        name, _, path = item.rpartition("=")
        reports[name or Path(path).stem] = Path(path)
    readme = ROOT / "README.md"
    content = table(reports, options.command)
    readme.write_text(filled(readme.read_text(encoding="utf-8"), content), encoding="utf-8")


if __name__ == "__main__":
    main()
