/** The view of prompts: generate sets, read them with their evidence, use them, and review them. */

import * as client from "./client.js";
import { badge, h, plural, when } from "./dom.js";
import { promptEvidence } from "./evidence.js";
import { save } from "./files.js";
import { reviewPanel, startReviewForm } from "./review.js";

/** Return what the view shows; `path` follows `#prompts/`, `onUse(set, name)` classifies with a set. */
export async function promptsView(path, onUse) {
  if (path[0] === "review") return [backLink(), await reviewPanel(path[1])];
  if (path[0]) return [backLink(), setPanel(await client.promptSet(path[0]), onUse)];
  const [sets, reviews, publications] = await Promise.all([client.promptSets(), client.reviews(), client.publications()]);
  return [
    h("div", { class: "card-head" }, h("h1", {}, "Prompts")),
    h(
      "p",
      { class: "lead" },
      "What the model is asked, for each class: made from the sources, checked phrase by phrase, and never changed once made. " +
        "A review decides on every phrase and publishes a version that studies can demand.",
    ),
    generateForm(),
    h("div", { class: "columns" }, publicationList(publications.items, onUse), reviewList(reviews.items)),
    setList(sets),
  ];
}

const backLink = () => h("p", {}, h("a", { href: "#prompts", class: "back" }, "\u2190 All prompts"));

function generateForm() {
  const labels = h("input", {
    id: "generate-labels",
    type: "text",
    required: true,
    maxlength: "2000",
    placeholder: "atrial flutter; left bundle branch block",
  });
  const llm = h(
    "select",
    { id: "generate-llm" },
    h("option", { value: "auto" }, "language model if one answers"),
    h("option", { value: "off" }, "knowledge alone"),
    h("option", { value: "required" }, "language model required"),
  );
  const status = h("p", { class: "status", role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    status.textContent = "Engineering and verifying\u2026";
    try {
      const named = labels.value.split(";").map((label) => label.trim()).filter(Boolean);
      const set = await client.generate({ labels: named, llm: llm.value });
      location.hash = `#prompts/${set.id}`;
    } catch (error) {
      status.textContent = error.message;
    }
  };
  return h(
    "form",
    { class: "card generate", onsubmit: submit },
    h("h2", {}, "Generate prompts"),
    h(
      "div",
      { class: "row wrap" },
      h("label", { class: "grow" }, h("span", { class: "select-label" }, "Classes, separated by ;"), labels),
      h("label", {}, h("span", { class: "select-label" }, "Proposed by"), llm),
      h("button", { type: "submit", class: "primary small" }, "Generate"),
    ),
    status,
  );
}

function publicationList(items, onUse) {
  const use = async (item) => onUse(await client.promptSet(item.prompt_set_id), item.reference);
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Published"),
    items.length
      ? h(
          "ul",
          { class: "lines" },
          items.map((item) =>
            h(
              "li",
              {},
              h("a", { href: `#prompts/${item.prompt_set_id}` }, item.reference),
              h("span", { class: "hint" }, `${item.reviewer}, ${when(item.at)}`),
              h("button", { type: "button", class: "quiet small", onclick: () => use(item) }, "Use"),
            ),
          ),
        )
      : h("p", { class: "hint" }, "No version has been published. Open a set below and review it."),
  );
}

function reviewList(items) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Reviews"),
    items.length
      ? h(
          "ul",
          { class: "lines" },
          items.map((item) =>
            h(
              "li",
              {},
              h("a", { href: `#prompts/review/${item.id}` }, item.name),
              badge(item.state, item.state === "open" ? "warn" : "good"),
              h("span", { class: "hint" }, when(item.created_at)),
            ),
          ),
        )
      : h("p", { class: "hint" }, "No review has been opened."),
  );
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
      h("td", {}, when(item.created_at)),
    );
  const heads = ["Set", "Classes", "Label set", "Proposed by", "Made"];
  return h(
    "section",
    { class: "card" },
    h("h2", {}, `Stored sets `, h("span", { class: "count" }, String(total))),
    total
      ? h(
          "div",
          { class: "table-box", tabindex: "0", role: "region", "aria-label": "Stored prompt sets" },
          h("table", {}, h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, items.map(row))),
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
      `${plural(set.prompts.length, "class").replace("classs", "classes")}, proposed by ${set.generator.llm || "knowledge alone"}. `,
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
