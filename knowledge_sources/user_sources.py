"""The user's own terminologies, from where their settings say they are."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knowledge_sources.concept import Concept, Terminology
from knowledge_sources.delimited import load_cdisc, load_scp_ecg
from knowledge_sources.rrf import Progress
from knowledge_sources.umls import load_medgen, load_umls


@dataclass(frozen=True, slots=True)
class UserSources:
    """Paths of terminologies that are the user's own; None where there is none."""

    umls_dir: Path | None = None
    medgen_dir: Path | None = None
    scp_ecg_csv: Path | None = None
    cdisc_tsv: Path | None = None
    cache_dir: Path | None = None
    """Where the part that was taken from a large release is kept."""

    def load(
        self, table: Iterable[Concept], on_progress: Progress | None = None
    ) -> list[Terminology]:
        """Return the terminologies whose paths are set.

        Raises:
            KnowledgeError: A path does not hold what it should.
        """
        ours, cache = tuple(table), self.cache_dir
        found = []
        if self.scp_ecg_csv is not None:
            found.append(load_scp_ecg(self.scp_ecg_csv))
        if self.cdisc_tsv is not None:
            found.append(load_cdisc(self.cdisc_tsv))
        if self.umls_dir is not None:
            found.append(load_umls(self.umls_dir, ours, on_progress=on_progress, cache=cache))
        if self.medgen_dir is not None:
            found.append(load_medgen(self.medgen_dir, ours, on_progress=on_progress, cache=cache))
        return found


NO_USER_SOURCES: Final = UserSources()
