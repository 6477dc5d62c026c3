/** What came back for one recording: its facts, and the ranked classes with their evidence. */

import { badge, h, hidden, number, plural } from "./dom.js";
import { promptEvidence } from "./evidence.js";

export function recordFacts(record) {
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const derived = record.derived_leads.length ? ` (${record.derived_leads.length} derived)` : "";
  const quality = record.quality.acceptable ? badge("acceptable", "good") : badge("doubtful", "warn");
  return [
    fact("Format", record.format.toUpperCase()),
    fact("Length", `${record.duration_s.toFixed(1)} s`),
    fact("Sampling", `${Math.round(record.fs)} Hz`),
    fact("Leads", `${record.leads.length}${derived}`),
    fact("Quality", quality),
  ];
}

const UNITS = { bpm: " /min", ms: " ms", deg: "°" };
const WAVES = { p: "P", pr: "PR", qrs: "QRS", qt: "QT", qtc: "QTc", rr: "RR", t: "T" };

/** Return a measurement as people write it: `PR 150 ms` for `pr_ms`. */
function measurement([name, value]) {
  const words = name.split("_");
  const unit = UNITS[words.at(-1)];
  const said = (unit ? words.slice(0, -1) : words).map((word) => WAVES[word] ?? word).join(" ");
  return `${said} ${Math.round(value * 10) / 10}${unit ?? ""}`;
}

export function recordNotes(answer) {
  const failed = answer.record.quality.checks.filter((check) => !check.ok).map((check) => check.message);
  const messages = [...failed, ...answer.warnings.map((warning) => warning.message)];
  const list = (title, texts) =>
    h("details", { class: "notes" }, h("summary", {}, title), h("ul", {}, texts.map((text) => h("li", {}, text))));
  const measured = Object.entries(answer.record.device_measurements ?? {}).map(measurement);
  const device = [...(measured.length ? [measured.join(", ")] : []), ...answer.record.device_statements];
  return [
    messages.length ? list(`${plural(messages.length, "note")} on this recording`, messages) : null,
    device.length ? list("What the recording device measured and printed (not used for the scores)", device) : null,
  ].filter(Boolean);
}

export function sortScores(scores, by) {
  const value = (item) => item[by] ?? -Infinity;
  return [...scores].sort((a, b) => value(b) - value(a) || b.score - a.score);
}

export const nameOf = (score) => (score.label.includes(":") && score.meaning ? score.meaning : score.label);

/**
 * Return the list items of the ranked classes.
 * `prompts` maps labels to their engineered prompt; `onCompare(score, prompt)` returns what compares wordings.
 */
export function scoreItems(scores, prompts, onCompare) {
  return scores.map((score, index) => scoreItem(score, index, prompts.get(score.label), onCompare));
}

function scoreItem(score, index, prompt, onCompare) {
  const name = nameOf(score);
  const summary = h(
    "summary",
    {},
    h("span", { class: "rank", "aria-hidden": "true" }, String(index + 1)),
    h(
      "span",
      { class: "score-name" },
      h("span", { class: "score-label" }, name),
      name === score.label ? null : h("span", { class: "code" }, score.label),
      score.grounded ? null : badge("not in any source", "warn"),
    ),
    bar(score),
    figures(score),
  );
  const body = h("div", { class: "evidence" });
  const details = h("details", { class: `score ${strength(placeOf(score))}` }, summary, body);
  details.addEventListener(
    "toggle",
    () => {
      if (details.open && !body.hasChildNodes()) body.append(...evidence(score, prompt), onCompare(score, prompt));
    },
  );
  return h("li", {}, details);
}

const placeOf = (score) => score.percentile ?? Math.max(0, score.score) * 100;

/** A bar of the percentile with a whisker for its interval. */
export function bar(score) {
  const fill = h("span", { class: "bar-fill" });
  fill.style.width = `${Math.max(1, Math.min(100, placeOf(score))).toFixed(1)}%`;
  const parts = [fill];
  if (score.percentile_interval) {
    const [low, high] = score.percentile_interval;
    const whisker = h("span", { class: "whisker" });
    whisker.style.left = `${low.toFixed(1)}%`;
    whisker.style.width = `${Math.max(0.4, high - low).toFixed(1)}%`;
    parts.push(whisker);
  }
  return h("span", { class: "bar", "aria-hidden": "true" }, h("span", { class: "bar-track" }, parts));
}

export function figures(score) {
  const interval = score.percentile_interval;
  return h(
    "span",
    { class: "figures" },
    h(
      "span",
      { class: "percentile" },
      hidden("percentile "),
      h("span", { class: "value" }, number(score.percentile, 1)),
      interval ? hidden(", 95 % interval ") : null,
      interval ? h("span", { class: "interval" }, `${number(interval[0], 1)}\u2013${number(interval[1], 1)}`) : null,
    ),
    h("span", { class: "cosine" }, hidden("score "), number(score.score, 3)),
  );
}

export function strength(place) {
  if (place >= 95) return "strong";
  return place >= 75 ? "some" : "little";
}

function evidence(score, prompt) {
  const parts = [];
  if (!score.grounded) {
    parts.push(
      h(
        "p",
        { class: "callout warn" },
        "No source knows this wording, so it was encoded bare, without sub-types or attributes. Its score rests on the words alone.",
      ),
    );
  }
  for (const note of score.notes) parts.push(h("p", { class: "callout" }, note));
  parts.push(h("h3", {}, "Prompt that was encoded"), h("p", { class: "prompt" }, score.prompt));
  if (score.probability !== null) {
    parts.push(h("p", {}, `Calibrated probability: ${(score.probability * 100).toFixed(1)} %`));
  }
  if (prompt) parts.push(...promptEvidence(prompt));
  return parts;
}
