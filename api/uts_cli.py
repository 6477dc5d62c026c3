"""`merl knowledge uts`: UMLS over the network, with the user's own key."""

import json
import re
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from api.settings import load_settings
from knowledge_sources.errors import KnowledgeError
from knowledge_sources.knowledge_base import KnowledgeBase, load_knowledge_base
from knowledge_sources.uts import UtsClient

_CUI: Final = re.compile(r"C\d{7}")
_out: Final = Console()


def look_up(
    query: Annotated[str, typer.Argument(help="A term, or a CUI such as C0004238.")],
    top_k: Annotated[int, typer.Option("-k", "--top-k", min=1, max=200)] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="JSON: a list, or one concept.")] = False,
) -> None:
    """Look a term or a CUI up at UMLS Terminology Services; the key is MERL_UTS_API_KEY.

    A term gives the concepts that UTS finds, each with the concept of our sources that has the
    same CUI; a CUI gives its English names and definition. Needs a network; nothing is stored.
    """
    settings = load_settings()
    key = settings.uts_api_key.get_secret_value()
    with UtsClient(key, base_url=settings.uts_url) as uts:
        if _CUI.fullmatch(query.strip()):
            _show_concept(uts, query.strip(), as_json=as_json)
            return
        found = uts.search(query, top_k)
    own = _by_cui(load_knowledge_base())
    hits = [{"cui": cui, "name": name, "concept_id": own.get(cui)} for cui, name in found]
    if as_json:
        typer.echo(json.dumps(hits, ensure_ascii=False, indent=2))
        return
    if not hits:
        _out.print("UTS finds nothing for this.", style="yellow")
        return
    table = Table("cui", "name", "here", box=None, pad_edge=False)
    for hit in hits:
        table.add_row(hit["cui"], hit["name"], hit["concept_id"] or "")
    _out.print(table)


def _show_concept(uts: UtsClient, cui: str, *, as_json: bool) -> None:
    concept = uts.concept(cui)
    if concept is None:
        msg = f"UTS has no concept {cui!r}"
        raise KnowledgeError(msg)
    body: dict[str, Any] = {
        "cui": cui,
        "name": concept.canonical_name,
        "names": [alias.text for alias in concept.aliases],
        "definition": concept.definition,
        "concept_id": _by_cui(load_knowledge_base()).get(cui),
    }
    if as_json:
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for field, value in body.items():
        said = "; ".join(value) if isinstance(value, list) else value or ""
        table.add_row(field.replace("concept_id", "here"), said)
    _out.print(table)


def _by_cui(knowledge: KnowledgeBase) -> dict[str, str]:
    """The concept of the packaged sources that has a CUI; none where several have it."""
    owners: dict[str, list[str]] = {}
    for head in knowledge.heads():
        for identifier in knowledge.cluster_xrefs(head):
            if identifier.startswith("UMLS:"):
                owners.setdefault(identifier.removeprefix("UMLS:"), []).append(head)
    return {cui: heads[0] for cui, heads in owners.items() if len(heads) == 1}
