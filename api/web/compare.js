/** "What if I word it so?": two prompts for one class and recording, side by side. */

import * as client from "./client.js";
import { badge, h, number } from "./dom.js";
import { promptEvidence } from "./evidence.js";
import { bar, strength } from "./results.js";

let serial = 0;

/** Return the form that tries another wording of a class on `files`, with its outcome beneath. */
export function wordingTrial(score, prompt, files) {
  if (!files.length) {
    return h("p", { class: "hint" }, "To compare wordings, classify the recording anew: history keeps no recordings.");
  }
  const id = `wording-${(serial += 1)}`;
  const text = h("textarea", { id, rows: "2", maxlength: "300", required: true }, score.label);
  const mode = (value, words) =>
    h("label", { class: "radio" }, h("input", { type: "radio", name: `${id}-mode`, value, checked: value === "engineer" }), words);
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const form = h(
    "form",
    {
      class: "trial",
      onsubmit: async (event) => {
        event.preventDefault();
        const isExact = form.elements[`${id}-mode`].value === "exact";
        outcome.replaceChildren(h("p", { class: "hint" }, "Scoring\u2026"));
        try {
          const other = await scoreWording(files, text.value.trim(), isExact);
          outcome.replaceChildren(sideBySide({ score, prompt }, other));
        } catch (error) {
          outcome.replaceChildren(h("p", { class: "callout warn" }, error.message));
        }
      },
      onchange: (event) => {
        if (event.target.type !== "radio") return;
        const isExact = event.target.value === "exact";
        text.setAttribute("maxlength", isExact ? "4000" : "300");
        text.value = isExact ? score.prompt : score.label;
        text.rows = isExact ? 5 : 2;
      },
    },
    h("label", { for: id, class: "trial-title" }, "What if I word it so?"),
    text,
    h(
      "div",
      { class: "row wrap" },
      mode("engineer", "engineer a prompt for this name"),
      mode("exact", "encode exactly these words"),
      h("button", { type: "submit", class: "quiet small" }, "Compare"),
    ),
  );
  return h("section", { class: "compare", "aria-label": `Another wording of ${score.label}` }, form, outcome);
}

async function scoreWording(files, wording, isExact) {
  const classes = isExact ? { promptSet: JSON.stringify(exactSet(wording)) } : { labels: [wording.replaceAll(";", ",")] };
  const answer = await client.classify(files, classes);
  const set = await client.promptSet(answer.prompt_set.id);
  return { score: answer.scores[0], prompt: set.prompts[0] };
}

/** A prompt set of one class whose text is taken as it stands. */
function exactSet(wording) {
  const prompt = {
    label: wording.split(/[,;:.] /)[0].slice(0, 200),
    meaning: "worded by hand",
    grounded: false,
    concept_ids: [],
    text: wording,
    notes: ["Worded by hand on the page: no source was asked."],
  };
  return { generator: { llm: null, templates: {}, sources: [] }, prompts: [prompt] };
}

/** Split a prompt into its phrases; some hold commas, which is why those that are known go first. */
function phrasesOf(text, known) {
  const found = [];
  for (let rest = text; rest; ) {
    const phrase = known.find((item) => rest.startsWith(item)) || rest.split(", ", 1)[0];
    if (phrase) found.push(phrase);
    rest = rest.slice(phrase.length).replace(/^[,\s]+/, "");
  }
  return found;
}

function knownPhrases(...prompts) {
  const texts = prompts.filter(Boolean).flatMap((prompt) => [...prompt.subtypes, ...prompt.attributes]);
  return texts.map((phrase) => phrase.text).sort((a, b) => b.length - a.length);
}

function sideBySide(first, second) {
  const known = knownPhrases(first.prompt, second.prompt);
  const [ours, theirs] = [first, second].map(({ score }) => phrasesOf(score.prompt, known));
  return h(
    "div",
    {},
    h("p", { class: "verdict" }, difference(first.score, second.score)),
    h(
      "div",
      { class: "sides" },
      side("As classified", first, ours, theirs, "only-first"),
      side("Your wording", second, theirs, ours, "only-second"),
    ),
  );
}

function difference(first, second) {
  if (first.percentile === null || second.percentile === null) {
    return `Score ${number(first.score, 3)} as classified, ${number(second.score, 3)} in your wording.`;
  }
  const change = second.percentile - first.percentile;
  if (Math.abs(change) < 0.05) return "Both wordings put this recording at the same percentile.";
  const [low, high] = second.percentile_interval || [second.percentile, second.percentile];
  const isWithin = first.percentile >= low && first.percentile <= high;
  const size = `${Math.abs(change).toFixed(1)} percentile points ${change > 0 ? "higher" : "lower"}`;
  return `Your wording puts this recording ${size}${isWithin ? ", which is within the interval" : ""}.`;
}

function side(title, { score, prompt }, phrases, others, kind) {
  const parts = phrases.flatMap((part, i) => [i ? ", " : "", others.includes(part) ? part : h("mark", { class: kind }, part)]);
  return h(
    "section",
    { class: `side ${strength(score.percentile ?? 0)}` },
    h("h3", {}, title),
    h("p", { class: "side-name" }, score.label, score.grounded ? null : badge("not in any source", "warn")),
    bar(score),
    h(
      "p",
      { class: "side-figures" },
      h("strong", {}, number(score.percentile, 1)),
      score.percentile_interval ? ` (${score.percentile_interval.map((value) => number(value, 1)).join("\u2013")})` : "",
      h("span", { class: "hint" }, ` score ${number(score.score, 3)}`),
    ),
    h("p", { class: "prompt" }, parts),
    prompt ? h("details", { class: "rejected" }, h("summary", {}, "Evidence"), h("div", {}, promptEvidence(prompt))) : null,
  );
}
