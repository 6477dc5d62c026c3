/** What came back: the record's facts, the ranked classes, and the evidence of each prompt. */

import { h, plural } from "./dom.js";

const SOURCE_NAMES = { merl: "ECG statements", hpo: "HPO", icd10cm: "ICD-10-CM", umls: "UMLS" };

const number = (value, digits) => (value === null || value === undefined ? "\u2013" : value.toFixed(digits));

const hidden = (text) => h("span", { class: "visually-hidden" }, text);

function badge(text, kind) {
  return h("span", { class: `badge ${kind}` }, text);
}

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

export function recordNotes(answer) {
  const failed = answer.record.quality.checks.filter((check) => !check.ok).map((check) => check.message);
  const messages = [...failed, ...answer.warnings.map((warning) => warning.message)];
  const parts = [];
  if (messages.length) {
    parts.push(
      h("details", { class: "notes" }, h("summary", {}, plural(messages.length, "note"), " on this recording"), h("ul", {}, messages.map((text) => h("li", {}, text)))),
    );
  }
  if (answer.record.device_statements.length) {
    parts.push(
      h(
        "details",
        { class: "notes" },
        h("summary", {}, "What the recording device printed (not used for the scores)"),
        h("ul", {}, answer.record.device_statements.map((text) => h("li", {}, text))),
      ),
    );
  }
  return parts;
}

export function sortScores(scores, by) {
  const value = (item) => item[by] ?? -Infinity;
  return [...scores].sort((a, b) => value(b) - value(a) || b.score - a.score);
}

/** Return the list items of the ranked classes; `prompts` maps labels to their engineered prompt. */
export function scoreItems(scores, prompts) {
  return scores.map((score, index) => scoreItem(score, index, prompts.get(score.label)));
}

function scoreItem(score, index, prompt) {
  const place = score.percentile ?? Math.max(0, score.score) * 100;
  const name = score.label.includes(":") && score.meaning ? score.meaning : score.label;
  const bar = h("span", { class: "bar-fill" });
  bar.style.width = `${Math.max(1, Math.min(100, place)).toFixed(1)}%`;
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
    h("span", { class: "bar", "aria-hidden": "true" }, bar),
    h(
      "span",
      { class: "figures" },
      hidden("percentile"),
      h("span", { class: "percentile" }, number(score.percentile, 1)),
      hidden("score"),
      h("span", { class: "cosine" }, number(score.score, 3)),
    ),
  );
  const details = h("details", { class: `score ${strength(place)}` }, summary, evidence(score, prompt));
  return h("li", {}, details);
}

function strength(place) {
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
  if (prompt) {
    if (prompt.concept_ids.length) parts.push(conceptLine(prompt));
    parts.push(...phraseList("Sub-types", prompt.subtypes));
    parts.push(...phraseList("Attributes", prompt.attributes));
    parts.push(...rejectedList(prompt.rejected));
  }
  return h("div", { class: "evidence" }, parts);
}

function conceptLine(prompt) {
  return h(
    "p",
    { class: "hint" },
    `Taken to mean ${prompt.meaning}: `,
    prompt.concept_ids.flatMap((id, i) => [i ? ", " : "", h("code", {}, id)]),
  );
}

function sourceLine(phrase) {
  const same = (text) => text.toLowerCase() === phrase.text.toLowerCase();
  const texts = phrase.evidence.map((item) => {
    const name = [SOURCE_NAMES[item.source] || item.source, item.version].filter(Boolean).join(" ");
    return same(item.matched) ? name : `${name}: \u201c${item.matched}\u201d`;
  });
  return texts.length ? h("span", { class: "source" }, [...new Set(texts)].join("; ")) : null;
}

function phraseList(title, phrases) {
  if (!phrases.length) return [];
  return [
    h("h3", {}, title),
    h(
      "ul",
      { class: "phrases" },
      phrases.map((phrase) =>
        h(
          "li",
          {},
          h("span", { class: "phrase" }, phrase.text),
          phrase.proposed_by && phrase.proposed_by !== "knowledge" ? badge(`proposed by ${phrase.proposed_by}`, "plain") : null,
          sourceLine(phrase),
        ),
      ),
    ),
  ];
}

function rejectedList(phrases) {
  if (!phrases.length) return [];
  return [
    h(
      "details",
      { class: "rejected" },
      h("summary", {}, `${plural(phrases.length, "phrase")} refused, and why`),
      h(
        "ul",
        { class: "phrases" },
        phrases.map((phrase) =>
          h("li", {}, h("span", { class: "phrase struck" }, phrase.text), badge(phrase.relation, "plain"), h("span", { class: "source" }, phrase.reason)),
        ),
      ),
    ),
  ];
}

/** Return a table of several records, one line each; `onOpen` shows one of them. */
export function batchTable(items, onOpen) {
  const line = (item) => {
    const name = item.files.join(" + ");
    if (item.error) {
      return h("tr", {}, h("td", {}, name), h("td", { colspan: "3", class: "bad" }, item.error.detail));
    }
    const best = sortScores(item.result.scores, "percentile")[0];
    return h(
      "tr",
      {},
      h("td", {}, h("button", { type: "button", class: "link", onclick: () => onOpen(item) }, name)),
      h("td", {}, best.label),
      h("td", { class: "num" }, number(best.percentile, 1)),
      h("td", { class: "num" }, number(best.score, 3)),
    );
  };
  return h(
    "div",
    { class: "table-box" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ["Recording", "Highest class", "Percentile", "Score"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, items.map(line)),
    ),
  );
}

/** Return the results of several records as CSV, one line a record and class. */
export function batchCsv(items) {
  const quote = (value) => `"${String(value ?? "").replaceAll('"', '""').replace(/^([=+\-@])/, "'$1")}"`;
  const lines = ["recording,label,score,percentile,error"];
  for (const item of items) {
    const name = item.files.join(" + ");
    if (item.error) lines.push([quote(name), "", "", "", quote(item.error.detail)].join(","));
    for (const score of item.result?.scores || []) {
      lines.push([quote(name), quote(score.label), score.score, score.percentile ?? "", ""].join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}
