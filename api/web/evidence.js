/** The evidence of one prompt: what was encoded, what supports it, and what was refused and why. */

import { badge, h, plural } from "./dom.js";

export const SOURCE_NAMES = {
  merl: "ECG statements",
  hpo: "HPO",
  icd10cm: "ICD-10-CM",
  umls: "UMLS",
  medgen: "MedGen",
  scp_ecg: "SCP-ECG",
  cdisc: "CDISC",
};

/** Return the elements that show a prompt of a prompt set. */
export function promptEvidence(prompt) {
  return [
    ...(prompt.concept_ids.length ? [conceptLine(prompt)] : []),
    ...phraseList("Sub-types", prompt.subtypes),
    ...phraseList("Attributes", prompt.attributes),
    ...rejectedList(prompt.rejected),
  ];
}

function conceptLine(prompt) {
  const ids = prompt.concept_ids.flatMap((id, i) => [i ? ", " : "", h("code", {}, id)]);
  return h("p", { class: "hint" }, `Taken to mean ${prompt.meaning}: `, ids);
}

export function sourceLine(phrase) {
  const text = (phrase.text || phrase.phrase).toLowerCase();
  const texts = phrase.evidence.map((item) => {
    const name = [SOURCE_NAMES[item.source] || item.source, item.version].filter(Boolean).join(" ");
    return item.matched.toLowerCase() === text ? name : `${name}: \u201c${item.matched}\u201d`;
  });
  return texts.length ? h("span", { class: "source" }, [...new Set(texts)].join("; ")) : null;
}

function phraseList(title, phrases) {
  if (!phrases.length) return [];
  const item = (phrase) =>
    h(
      "li",
      {},
      h("span", { class: "phrase" }, phrase.text),
      phrase.proposed_by && phrase.proposed_by !== "knowledge" ? badge(`proposed by ${phrase.proposed_by}`, "plain") : null,
      sourceLine(phrase),
    );
  return [h("h3", {}, title, " ", h("span", { class: "count" }, String(phrases.length))), h("ul", { class: "phrases" }, phrases.map(item))];
}

function rejectedList(phrases) {
  if (!phrases.length) return [];
  const item = (phrase) =>
    h(
      "li",
      {},
      h("span", { class: "phrase struck" }, phrase.text),
      badge(phrase.relation, "plain"),
      h("span", { class: "source" }, phrase.reason),
    );
  return [
    h(
      "details",
      { class: "rejected" },
      h("summary", {}, `${plural(phrases.length, "phrase")} refused, and why`),
      h("ul", { class: "phrases" }, phrases.map(item)),
    ),
  ];
}
