"""The paper's figures, drawn from results: SVG and PNG, with the data beside them as CSV."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from merl_core.errors import MerlError
from merl_core.json_file import read_json

Result = dict[str, Any]
_VALUE: Final = ("label_set", "macro_auroc", "macro_auroc_ci")
KINDS: Final = {
    "zero_shot": ("model", "prompts", *_VALUE),
    "probe": ("model", "label_set", "recipe", "shares"),
    "transfer": ("model", "label_set", "tested_on", "recipe", "shares"),
    "supervised": ("label_set", "shares"),
    "scaling": ("varies", "n_train", "n_parameters", *_VALUE),
    "embedding": ("model", "label_set", "points"),
}
"""Kinds of results, and the fields that each has."""
_NAMES: Final = {
    "ptbxl_super": "PTB-XL super", "ptbxl_sub": "PTB-XL sub", "ptbxl_form": "PTB-XL form",
    "ptbxl_rhythm": "PTB-XL rhythm", "cpsc2018": "CPSC2018", "csn": "CSN",
}  # fmt: skip
_COLORS: Final = (
    "#b3123c", "#2f6f9f", "#4f8f4f", "#c98a1b", "#6b5b95", "#17a2a2", "#8c564b", "#d85c9e",
)  # fmt: skip
_LEGEND_INCHES: Final = 1.75
"""Width of a column of a legend."""
_UNTRAINED: Final = "#777777"
_SUPERVISED: Final = "supervised from scratch"
_PAPER: Final = " (the paper's recipe)"
_FIXED: Final = {
    "merl-base": _COLORS[0], "merl-sim": _COLORS[1], f"merl-base{_PAPER}": _COLORS[3],
    _SUPERVISED: "#111111",
    "ptbxl_super": _COLORS[0], "ptbxl_sub": _COLORS[1], "ptbxl_form": _COLORS[2],
    "ptbxl_rhythm": _COLORS[3],
}  # fmt: skip
"""Colours that do not depend on what else is drawn."""


def read_results(paths: Sequence[Path]) -> list[Result]:
    """Return results of files that hold one each, or a list under `results`.

    Raises:
        MerlError: A file cannot be read, is not JSON, holds no result that is known, or one
            without a field of its kind.
    """
    found: list[Result] = []
    for path in paths:
        content = read_json(path, "result")
        items = content.get("results", [content]) if isinstance(content, dict) else []
        known = [item for item in items if isinstance(item, dict) and item.get("kind") in KINDS]
        if not known:
            msg = f"{path}: no result of kind {', '.join(KINDS)}"
            raise MerlError(msg)
        for item in known:
            missing = [name for name in KINDS[item["kind"]] if name not in item]
            if missing:
                msg = f"{path}: a result of kind {item['kind']!r} lacks {missing[0]!r}"
                raise MerlError(msg)
            wrong = _wrong_field(item)
            if wrong is not None:
                msg = f"{path}: a result of kind {item['kind']!r}: {wrong}"
                raise MerlError(msg)
        found += known
    return found


def _wrong_field(item: Result) -> str | None:
    """Return what is wrong with a field that is drawn; None if nothing is."""
    model = item.get("model", {"id": ""})
    if not (isinstance(model, dict) and isinstance(model.get("id"), str)):
        return f"model {model!r}, expected an object with 'id'"
    if item["kind"] == "embedding":
        for point in item["points"] if isinstance(item["points"], list) else [None]:
            if not (isinstance(point, dict) and {"x", "y", "label"} <= point.keys()):
                return f"point {point!r}, expected 'x', 'y' and 'label'"
        return None
    values = item.get("shares", [item])
    for value in values if isinstance(values, list) else [None]:
        if not isinstance(value, dict) or ("shares" in item and not _is_number(value.get("share"))):
            return f"share {value!r}, expected an object with 'share' and 'macro_auroc'"
        found, ci = value.get("macro_auroc"), value.get("macro_auroc_ci")
        is_pair = isinstance(ci, list) and len(ci) == 2 and all(map(_is_number, ci))
        if found is not None and not (_is_number(found) and is_pair):
            return f"macro_auroc {found!r} with interval {ci!r}, expected a number and two"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def draw_figures(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw every figure that the results have data for, and return the files.

    `zero_shot_and_probe`: zero-shot against probes by share of labels, and probes tested on
    another data set. `by_data_set`: zero-shot
    of each model by data set. `prompts`: zero-shot by prompt. `scaling`: zero-shot by number of
    training records and of parameters. `embedding_...`: t-SNE of features by class.

    Raises:
        MerlError: matplotlib is not installed, or no figure has data.
    """
    if find_spec("matplotlib") is None:
        msg = (
            "matplotlib is not installed; it comes with the extra: pip install 'merl-ckepe[report]'"
        )
        raise MerlError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for draw in (_headline, _by_data_set, _prompts, _scaling, _embeddings):
        written += draw(results, folder)
    if not written:
        msg = "the results have no data for any figure"
        raise MerlError(msg)
    return written


def _headline(results: Sequence[Result], folder: Path) -> list[Path]:
    """Zero-shot as a line across, probes and supervised training by share of labels."""
    curves = [r for r in results if r["kind"] in ("probe", "supervised", "transfer")]
    sets = _in_order(_panel(r) for r in curves)
    if not sets:
        return []
    rows: list[Result] = []
    color = _palette(results)
    with _figure(len(sets), width=max(4.5, 2.6 * len(sets))) as (axes, save):
        for axis, name in zip(axes, sets, strict=True):
            for result in _main_arm(results, name):
                label = f"zero-shot {result['model']['id']}"
                shown = color[result["model"]["id"]]
                axis.axhline(result["macro_auroc"], color=shown, ls="--", lw=1.5, label=label)
                low, high = result["macro_auroc_ci"]
                axis.axhspan(low, high, color=shown, alpha=0.1, lw=0)
                rows.append(_row(name, label, None, result))
            for result in (r for r in curves if _panel(r) == name):
                series = _series(result)
                label = series if result["kind"] == "supervised" else f"probe {series}"
                points = [p for p in result["shares"] if p["macro_auroc"] is not None]
                x = [100 * p["share"] for p in points]
                y = [p["macro_auroc"] for p in points]
                low = [v - p["macro_auroc_ci"][0] for v, p in zip(y, points, strict=True)]
                high = [p["macro_auroc_ci"][1] - v for v, p in zip(y, points, strict=True)]
                axis.errorbar(
                    x, y, yerr=[low, high], marker="o", ms=4, lw=1.2, capsize=2,
                    color=color[series], label=label,
                )  # fmt: skip
                rows += [_row(name, label, p["share"], p) for p in points]
            axis.set(xscale="log", xticks=[1, 10, 100], xlabel="labels used (%)")
            axis.set_xticklabels(["1", "10", "100"])
            axis.set_title(_title(name), fontsize=10)
        axes[0].set_ylabel("macro AUROC")
        _legend_below(axes)
        return save(folder, "zero_shot_and_probe", rows)


def _by_data_set(results: Sequence[Result], folder: Path) -> list[Path]:
    sets = _sets(results)
    if not sets:
        return []
    models = list(dict.fromkeys(r["model"]["id"] for n in sets for r in _main_arm(results, n)))
    rows: list[Result] = []
    color = _palette(results)
    with _figure(1, width=_width(sets)) as ((axis,), save):
        width = 0.8 / len(models)
        for m, model in enumerate(models):
            for s, name in enumerate(sets):
                for result in _main_arm(results, name):
                    if result["model"]["id"] != model:
                        continue
                    value, (low, high) = result["macro_auroc"], result["macro_auroc_ci"]
                    axis.bar(
                        s + (m - (len(models) - 1) / 2) * width, value, width,
                        yerr=[[value - low], [high - value]], capsize=2,
                        color=color[model], label=model,
                    )  # fmt: skip
                    rows.append(_row(name, model, None, result))
        axis.axhline(0.5, color="#999999", lw=0.8)
        axis.set(ylim=(0.3, 1.0), ylabel="macro AUROC, zero-shot", xticks=range(len(sets)))
        axis.set_xticklabels([_title(name) for name in sets], fontsize=8)
        _legend_below([axis])
        return save(folder, "by_data_set", rows)


def _prompts(results: Sequence[Result], folder: Path) -> list[Path]:
    zero_shot = [r for r in results if r["kind"] == "zero_shot" and r["macro_auroc"] is not None]
    main = zero_shot[0]["model"]["id"] if zero_shot else None
    arms = list(dict.fromkeys(r["prompts"] for r in zero_shot if r["model"]["id"] == main))
    if len(arms) < 2:
        return []
    sets = _sets(results)
    rows: list[Result] = []
    with _figure(1, width=_width(sets)) as ((axis,), save):
        for a, arm in enumerate(arms):
            for result in zero_shot:
                if result["prompts"] != arm or result["model"]["id"] != main:
                    continue
                value, (low, high) = result["macro_auroc"], result["macro_auroc_ci"]
                place = sets.index(result["label_set"])
                axis.errorbar(
                    place + 0.12 * (a - (len(arms) - 1) / 2), value,
                    yerr=[[value - low], [high - value]], marker="o", ms=5, capsize=2,
                    color=_COLORS[a % len(_COLORS)], label=arm,
                )  # fmt: skip
                rows.append(_row(result["label_set"], arm, None, result))
        axis.set(ylabel="macro AUROC, zero-shot", xticks=range(len(sets)))
        axis.set_title(main, fontsize=10)
        axis.set_xlim(-0.5, len(sets) - 0.5)
        axis.set_xticklabels([_title(name) for name in sets], fontsize=8)
        _legend_below([axis], "prompt")
        return save(folder, "prompts", rows)


def _scaling(results: Sequence[Result], folder: Path) -> list[Path]:
    points = [r for r in results if r["kind"] == "scaling" and r["macro_auroc"] is not None]
    if not points:
        return []
    rows: list[Result] = []
    color = _palette(points, "label_set")
    with _figure(2, width=7.0) as (axes, save):
        for axis, (key, title) in zip(
            axes,
            (("n_train", "training records"), ("n_parameters", "parameters of the ECG encoder")),
            strict=True,
        ):
            chosen = sorted((p for p in points if p["varies"] == key), key=lambda p: p[key])
            for name in dict.fromkeys(p["label_set"] for p in chosen):
                line = [p for p in chosen if p["label_set"] == name]
                values = [p["macro_auroc"] for p in line]
                low = [v - p["macro_auroc_ci"][0] for v, p in zip(values, line, strict=True)]
                high = [p["macro_auroc_ci"][1] - v for v, p in zip(values, line, strict=True)]
                axis.errorbar(
                    [p[key] for p in line], values, yerr=[low, high], marker="o", ms=4, lw=1.2,
                    capsize=2, color=color[name], label=_title(name),
                )  # fmt: skip
                rows += [_row(name, key, p[key], p) for p in line]
            axis.set(xscale="log", xlabel=title)
            measured = sorted({p[key] for p in chosen})
            axis.set_xticks(measured, [f"{value:,}" for value in measured])
            axis.minorticks_off()
        axes[0].set_ylabel("macro AUROC, zero-shot")
        _legend_below(axes)
        return save(folder, "scaling", rows)


def _embeddings(results: Sequence[Result], folder: Path) -> list[Path]:
    written: list[Path] = []
    for result in (r for r in results if r["kind"] == "embedding"):
        with _figure(1, width=4.5, height=4.2) as ((axis,), save):
            for i, label in enumerate(dict.fromkeys(p["label"] for p in result["points"])):
                chosen = [p for p in result["points"] if p["label"] == label]
                axis.scatter(
                    [p["x"] for p in chosen], [p["y"] for p in chosen], s=5, lw=0,
                    color=_COLORS[i % len(_COLORS)], label=f"{label} ({len(chosen)})",
                )  # fmt: skip
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{_title(result['label_set'])}, {result['model']['id']}", fontsize=10)
            axis.legend(fontsize=7, frameon=False, markerscale=2)
            name = f"embedding_{result['label_set']}_{result['model']['id']}"
            written += save(folder, name, result["points"])
    return written


@contextmanager
def _figure(
    n_axes: int, width: float | None = None, height: float = 3.2
) -> Iterator[tuple[Any, Callable[[Path, str, Sequence[Result]], list[Path]]]]:
    """Yield axes and what saves the figure; the same data gives the same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width or 2.6 * n_axes, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, n_axes, i + 1) for i in range(n_axes)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)

    def save(folder: Path, name: str, rows: Sequence[Result]) -> list[Path]:
        paths = [folder / f"{name}.{suffix}" for suffix in ("svg", "png", "csv")]
        with mpl.rc_context({"svg.hashsalt": "merl", "svg.fonttype": "none"}):
            figure.savefig(paths[0], metadata={"Date": None})
            figure.savefig(paths[1], dpi=110, metadata={"Software": None})
        heads = list(dict.fromkeys(key for row in rows for key in row))
        with paths[2].open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, heads, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return paths

    yield axes, save


def _legend_below(axes: Sequence[Any], title: str | None = None) -> None:
    """Add one legend of all axes below them, where it covers no data."""
    named: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    n_fitting = max(1, int(axes[0].figure.get_figwidth() / _LEGEND_INCHES))
    axes[0].figure.legend(
        named.values(), named.keys(), loc="outside lower center",
        ncols=min(4, n_fitting, len(named)), fontsize=7, frameon=False, title=title,
        title_fontsize=7,
    )  # fmt: skip


def _main_arm(results: Sequence[Result], name: str) -> list[Result]:
    """Return one zero-shot result of each model: the first of its prompts."""
    found: dict[str, Result] = {}
    for result in results:
        is_it = result["kind"] == "zero_shot" and result["label_set"] == name
        if is_it and result["macro_auroc"] is not None:
            found.setdefault(result["model"]["id"], result)
    return list(found.values())


def _sets(results: Sequence[Result]) -> list[str]:
    """Return the label sets with zero-shot results, benchmarks first and in the paper's order."""
    there = list(dict.fromkeys(r["label_set"] for r in results if r["kind"] == "zero_shot"))
    return _in_order(name for name in there if _main_arm(results, name))


def _in_order(names: Iterable[str]) -> list[str]:
    order = list(_NAMES)
    return sorted(
        dict.fromkeys(names), key=lambda name: order.index(name) if name in _NAMES else len(order)
    )


def _panel(result: Result) -> str:
    """Return the label set that a curve belongs to; both sets of a domain transfer."""
    name: str = result["label_set"]
    if result["kind"] != "transfer":
        return name
    return f"{_title(name)} to {_title(result['tested_on'])}"


def _title(name: str | None) -> str:
    return _NAMES.get(name or "", name or "own classes")


def _row(name: str | None, series: str, x: float | None, result: Result) -> Result:
    low, high = result.get("macro_auroc_ci") or (None, None)
    return {
        "label_set": name,
        "series": series,
        "x": x,
        "macro_auroc": result["macro_auroc"],
        "ci_low": low,
        "ci_high": high,
    }


def _width(sets: Sequence[str]) -> float:
    """Return the width of a figure with a place for each label set, in inches."""
    return max(3.5, 1.4 + 1.4 * len(sets))


def _palette(results: Sequence[Result], by: str = "model") -> dict[str, str]:
    """Return a colour for each series, the same in every figure of a report.

    Args:
        results: All that is drawn.
        by: `model` for models and what was trained on labels, or `label_set`.
    """
    names = dict.fromkeys(_series(r) if by == "model" else r["label_set"] for r in results)
    found = {name: _FIXED[name] for name in names if name in _FIXED}
    found |= {name: _UNTRAINED for name in names if str(name).endswith("-untrained")}
    free = [one for one in _COLORS if one not in found.values()] or list(_COLORS)
    others = [name for name in names if name not in found]
    return found | {name: free[i % len(free)] for i, name in enumerate(others)}


def _series(result: Result) -> str:
    if result["kind"] == "supervised":
        return _SUPERVISED
    name: str = result.get("model", {}).get("id", "")
    return f"{name}{_PAPER}" if result.get("recipe") == "paper" else name
