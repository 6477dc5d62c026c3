"""What differs between two prompt sets, phrase by phrase."""

from dataclasses import dataclass

from ckepe.prompt_set import LabelPrompt, PromptSet


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    label: str
    kind: str
    """`added`, `removed` or `changed`."""
    what: str
    reason: str = ""
    """Why it was dropped, where the second set says so."""


def diff_prompt_sets(first: PromptSet, second: PromptSet) -> list[Change]:
    """Return what `second` adds, drops or words otherwise, label by label."""
    before = {p.label: p for p in first.prompts}
    after = {p.label: p for p in second.prompts}
    changes: list[Change] = []
    for label in dict.fromkeys((*before, *after)):
        if label not in after:
            changes.append(Change(label, "removed", "the label"))
        elif label not in before:
            changes.append(Change(label, "added", "the label"))
        else:
            changes += _diff_label(before[label], after[label])
    return changes


def _diff_label(before: LabelPrompt, after: LabelPrompt) -> list[Change]:
    old, new = _phrases(before), _phrases(after)
    reasons = {r.text: r.reason for r in after.rejected}
    changes = [
        Change(after.label, "removed", text, reasons.get(text, ""))
        for text in old
        if text not in new
    ]
    changes += [
        Change(after.label, "added", text, f"{relation}") for text, relation in new.items()
        if text not in old
    ]  # fmt: skip
    if before.text != after.text and not changes:
        changes.append(Change(after.label, "changed", f"{before.text!r} -> {after.text!r}"))
    return changes


def _phrases(prompt: LabelPrompt) -> dict[str, str]:
    return {p.text: str(p.relation) for p in (*prompt.subtypes, *prompt.attributes)}
