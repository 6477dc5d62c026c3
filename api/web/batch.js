/** Several recordings: a table to sort, with a column for each class, and its export. */

import { h, number, sentence } from "./dom.js";
import { nameOf, sortScores, strength } from "./results.js";

const MAX_COLUMNS = 24;

export class BatchTable {
  /** `onOpen(item)` shows one recording. */
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.items = [];
    this.by = "index";
    this.isDescending = false;
    this.element = h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Results of the recordings" });
  }

  clear() {
    this.items = [];
    this.by = "index";
    this.isDescending = false;
    this.render();
  }

  add(item) {
    this.items.push(item);
    this.render();
  }

  sortBy(key) {
    this.isDescending = this.by === key ? !this.isDescending : key !== "index" && key !== "name" && key !== "best";
    this.by = key;
    this.render();
    this.element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  /** Rows in the order shown; recordings that failed stay at the end. */
  sorted() {
    const value = (item) => {
      if (this.by === "index") return item.index;
      if (this.by === "name") return nameOfItem(item);
      const best = sortScores(item.result.scores, "percentile")[0];
      if (this.by === "best") return nameOf(best);
      if (this.by === "percentile") return best.percentile ?? -1;
      return item.result.scores.find((score) => score.label === this.by)?.percentile ?? -1;
    };
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
      return this.isDescending ? -order : order;
    };
    const done = this.items.filter((item) => item.result).sort(compare);
    return [...done, ...this.items.filter((item) => item.error)];
  }

  render() {
    const labels = this.items.find((item) => item.result)?.result.scores ?? [];
    const columns = [...labels].sort((a, b) => a.label.localeCompare(b.label)).slice(0, MAX_COLUMNS);
    const heads = [
      this.head("name", "Recording"),
      this.head("best", "Highest class", "best"),
      this.head("percentile", "Percentile", "num"),
      ...columns.map((score) => this.head(score.label, nameOf(score), "num class")),
    ];
    this.element.replaceChildren(
      h(
        "table",
        {},
        h("caption", { class: "visually-hidden" }, "Percentile of each class; press a heading to sort"),
        h("thead", {}, h("tr", {}, heads)),
        h("tbody", {}, this.sorted().map((item) => this.row(item, columns))),
      ),
      labels.length > MAX_COLUMNS ? h("p", { class: "hint" }, `${labels.length - MAX_COLUMNS} classes more are in the CSV.`) : "",
    );
  }

  head(key, text, kind = "") {
    const isSorted = this.by === key;
    const sort = isSorted ? (this.isDescending ? "descending" : "ascending") : null;
    const arrow = isSorted ? (this.isDescending ? "\u2193" : "\u2191") : "";
    return h(
      "th",
      { scope: "col", class: kind, "aria-sort": sort },
      h("button", { type: "button", class: "sort", "data-key": key, onclick: () => this.sortBy(key) }, text, h("span", { "aria-hidden": "true" }, arrow)),
    );
  }

  row(item, columns) {
    const name = nameOfItem(item);
    if (item.error) {
      return h("tr", {}, h("th", { scope: "row" }, name), h("td", { colspan: String(2 + columns.length), class: "bad" }, whatIsWrong(item.error)));
    }
    const best = sortScores(item.result.scores, "percentile")[0];
    const byLabel = new Map(item.result.scores.map((score) => [score.label, score]));
    const isDoubtful = !item.result.record.quality.acceptable;
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h("button", { type: "button", class: "link", onclick: () => this.onOpen(item) }, name),
        isDoubtful ? h("span", { class: "badge warn" }, "doubtful signal") : null,
      ),
      h("td", {}, nameOf(best)),
      h("td", { class: "num" }, number(best.percentile, 1)),
      columns.map(({ label }) => {
        const score = byLabel.get(label);
        return h("td", { class: `num cell ${strength(score?.percentile ?? 0)}` }, number(score?.percentile, 0));
      }),
    );
  }

  /** Return one line a record and class. */
  csv() {
    const lines = ["recording,label,score,percentile,percentile_low,percentile_high,rank,acceptable_signal,error"];
    for (const item of this.sorted()) {
      const name = quoted(nameOfItem(item));
      if (item.error) lines.push([name, "", "", "", "", "", "", "", quoted(item.error.detail)].join(","));
      for (const score of item.result?.scores || []) {
        const [low, high] = score.percentile_interval || ["", ""];
        const figures = [score.score, score.percentile ?? "", low, high, score.rank, item.result.record.quality.acceptable];
        lines.push([name, quoted(score.label), ...figures, ""].join(","));
      }
    }
    return `${lines.join("\r\n")}\r\n`;
  }
}

/** A single file goes by another name at the service, so that a format's problem is told without one. */
const whatIsWrong = (error) => sentence(error.code === "unknown_format" ? error.title : error.detail);

const nameOfItem = (item) => item.files.join(" + ");

/** Quote a cell; a spreadsheet must not take it for a formula. */
function quoted(value) {
  const text = String(value ?? "").replaceAll('"', '""');
  return `"${text.replace(/^([=+\-@\t])/, "'$1")}"`;
}
