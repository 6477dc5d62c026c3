/** The view of prompts: generate sets, read them with their evidence, use them, and review them. */

import * as client from "./client.js";
import { badge, h, plural, when } from "./dom.js";
import { promptEvidence } from "./evidence.js";
import { save } from "./files.js";
import { generateForm } from "./generating.js";
import { reviewPanel, startReviewForm } from "./review.js";

/** Return what the view shows; `path` follows `#prompts/`, `onUse(set, name)` classifies with a set. */
export async function promptsView(path, onUse) {
  if (path[0] === "review") return [backLink(), await reviewPanel(path[1])];
  if (path[0]) return [backLink(), setPanel(await client.promptSet(path[0]), onUse)];
  const [sets, reviews, publications, labelSets] = await Promise.all([
    client.promptSets(),
    client.reviews(),
    client.publications(),
    client.labelSets(),
  ]);
  return [
    h("div", { class: "card-head" }, h("h1", {}, "Prompts")),
    h(
      "p",
      { class: "lead" },
      "What the model is asked, for each class: made from the sources, checked phrase by phrase, and never changed once made. " +
        "A review decides on every phrase and publishes a version that studies can demand.",
    ),
    generateForm(labelSets, openMade),
    h("div", { class: "columns" }, publicationList(publications.items, onUse), reviewList(reviews.items)),
    setList(sets),
  ];
}

/** Show a set that was just made, unless the reader went elsewhere meanwhile. */
function openMade(set) {
  if (location.hash === "#prompts") location.hash = `#prompts/${set.id}`;
}

const backLink = () => h("p", {}, h("a", { href: "#prompts", class: "back" }, "\u2190 All prompts"));

/** A card with a line for each of `items`, or the words `none` where there are none. */
function listCard(title, items, line, none) {
  const content = items.length
    ? h("ul", { class: "lines" }, items.map((item) => h("li", {}, line(item))))
    : h("p", { class: "hint" }, none);
  return h("section", { class: "card" }, h("h2", {}, title), content);
}

function publicationList(items, onUse) {
  const use = async (item) => onUse(await client.promptSet(item.prompt_set_id), item.reference);
  const line = (item) => [
    h("a", { href: `#prompts/${item.prompt_set_id}` }, item.reference),
    h("span", { class: "hint" }, `${item.reviewer}, ${when(item.at)}`),
    h("button", { type: "button", class: "quiet small", onclick: () => use(item) }, "Use"),
  ];
  return listCard("Published", items, line, "No version has been published. Open a set below and review it.");
}

function reviewList(items) {
  const line = (item) => [
    h("a", { href: `#prompts/review/${item.id}` }, item.name),
    badge(item.state, item.state === "open" ? "warn" : "good"),
    h("span", { class: "hint" }, when(item.created_at)),
  ];
  return listCard("Reviews", items, line, "No review has been opened.");
}

function setList({ items, total }) {
  const row = (item) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: `#prompts/${item.id}` }, h("code", {}, item.id.slice(0, 12)))),
      h("td", { class: "num" }, String(item.n_labels)),
      h("td", {}, item.label_set || "\u2013"),
      h("td", {}, item.llm || "knowledge alone"),
      h("td", { class: "when" }, when(item.created_at)),
    );
  const heads = ["Set", "Classes", "Label set", "Proposed by", "Made"].map((text) =>
    h("th", { scope: "col", class: text === "Classes" ? "num" : "" }, text),
  );
  return h(
    "section",
    { class: "card" },
    h("h2", {}, `Stored sets `, h("span", { class: "count" }, String(total))),
    total
      ? h(
          "div",
          { class: "table-box", tabindex: "0", role: "region", "aria-label": "Stored prompt sets" },
          h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, items.map(row))),
        )
      : h("p", { class: "hint" }, "Every classification stores the prompts that it used; none has been made yet."),
  );
}

function setPanel(set, onUse) {
  const download = () => save(`prompts-${set.id.slice(0, 12)}.json`, `${JSON.stringify(set, null, 2)}\n`, "application/json");
  const sources = set.generator.sources.map((source) => `${source.name} ${source.version}`).join("; ");
  return h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "card-head" },
      h("h1", {}, "Prompt set ", h("code", {}, set.id.slice(0, 12))),
      h(
        "div",
        { class: "tools" },
        h("button", { type: "button", class: "primary small", onclick: () => onUse(set, "") }, "Classify with it"),
        h("button", { type: "button", class: "quiet small", onclick: download }, "Download JSON"),
      ),
    ),
    h(
      "p",
      { class: "lead" },
      `${plural(set.prompts.length, "class", "classes")}, proposed by ${set.generator.llm || "knowledge alone"}. `,
      sources ? `Sources: ${sources}.` : "",
    ),
    ...set.notices.map((notice) => h("p", { class: "callout warn" }, notice)),
    startReviewForm(set),
    h("div", { class: "card" }, set.prompts.map(promptItem)),
  );
}

function promptItem(prompt) {
  return h(
    "details",
    { class: "prompt-item", open: false },
    h(
      "summary",
      {},
      h("span", { class: "score-label" }, prompt.label),
      prompt.grounded ? null : badge("not in any source", "warn"),
      h("span", { class: "hint" }, `${plural(prompt.subtypes.length + prompt.attributes.length, "phrase")}, ${prompt.rejected.length} refused`),
    ),
    h("p", { class: "prompt" }, prompt.text),
    prompt.notes.map((note) => h("p", { class: "callout" }, note)),
    promptEvidence(prompt),
  );
}
