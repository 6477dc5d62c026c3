"""The prompt of each class of a manifest: engineered, read from a file, or its own words."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from knowledge_sources.label_sets import find_label, label_set
from merl_core.errors import MerlError
from merl_core.json_file import read_json

if TYPE_CHECKING:
    from merl_core.datasets.manifest import Manifest


class PromptEngineer(Protocol):
    """Makes a prompt set; `ckepe.pipeline.PromptEngineer` is one."""

    def engineer(self, labels: Sequence[str], *, label_set: str | None, llm: Any = "auto") -> Any:
        """Return an object with `prompts`, each with `label` and `text`."""
        ...


EngineerFactory = Callable[[Callable[[int, int], None] | None], PromptEngineer]


def engineer_texts(
    factory: EngineerFactory | None, table: "Manifest", set_name: str | None, *, bare: bool
) -> dict[str, str]:
    """Return prompts by column head: the pipeline's, or the classes' own words.

    Raises:
        MerlError: The manifest has no class.
    """
    if not table.labels:
        msg = "the manifest has no class: it needs a column of 0 and 1 for each"
        raise MerlError(msg)
    labels = {head: _label_key(head, set_name) for head in table.labels}
    if bare:
        return {head: _meaning(key) for head, key in labels.items()}
    texts = engineer_labels(factory, list(labels.values()), set_name)
    return {head: texts.get(key, _meaning(key)) for head, key in labels.items()}


def engineer_labels(
    factory: EngineerFactory | None, labels: Sequence[str], set_name: str | None
) -> dict[str, str]:
    """Return prompts by label for given labels, or for all of a label set."""
    if not labels and set_name is not None:
        labels = [label.key for label in label_set(set_name).labels]
    if factory is None:
        return {label: _meaning(label) for label in labels}
    made = factory(None).engineer(list(labels), label_set=set_name, llm="off")
    return {prompt.label: prompt.text for prompt in made.prompts}


def _label_key(head: str, set_name: str | None) -> str:
    if set_name is None:
        return " ".join(head.split())
    code = head.partition(":")[2] or head
    return label_set(set_name).get(code).key


def _meaning(key: str) -> str:
    label = find_label(key)
    return key if label is None else label.meaning


def read_texts(path: Path) -> dict[str, str]:
    """Return texts by label of a prompt set, or of a plain JSON object of label and text.

    Raises:
        MerlError: The file cannot be read, is not JSON, or holds something else.
    """
    content = read_json(path, "prompt set")
    items = content.get("prompts", content) if isinstance(content, dict) else content
    try:
        if isinstance(items, list):
            return {item["label"]: item["text"] for item in items}
        return {str(label): str(text) for label, text in dict(items).items()}
    except (TypeError, KeyError, ValueError) as error:
        msg = f"prompt set {str(path)!r} does not hold a label and a text for each prompt"
        raise MerlError(msg) from error


def match_texts(texts: dict[str, str], table: "Manifest", set_name: str | None) -> dict[str, str]:
    """Return prompts by column head; heads and labels meet in any case, with or without a set."""
    known = {label.casefold(): text for label, text in texts.items()}
    for label, text in texts.items():
        known.setdefault(label.partition(":")[2].casefold() or label.casefold(), text)
    matched = {}
    for head in table.labels:
        for key in (head, f"{set_name}:{head}"):
            if key.casefold() in known:
                matched[head] = known[key.casefold()]
                break
        else:
            msg = f"the prompt set holds no prompt for class {head!r}"
            raise MerlError(msg)
    return matched
