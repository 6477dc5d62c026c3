/** Review of a prompt set: decide on every phrase with name and reason, then publish a version. */

import * as client from "./client.js";
import { badge, h, plural, when } from "./dom.js";
import { sourceLine } from "./evidence.js";

const REVIEWER = "merl-reviewer";
const STATUS = { pending: "warn", approved: "good", edited: "good", rejected: "plain" };

const reviewer = () => localStorage.getItem(REVIEWER) || "";

function reviewerField(id) {
  return h(
    "label",
    {},
    h("span", { class: "select-label" }, "Your name"),
    h("input", {
      id,
      type: "text",
      required: true,
      maxlength: "100",
      value: reviewer(),
      autocomplete: "name",
      onchange: (event) => localStorage.setItem(REVIEWER, event.target.value.trim()),
    }),
  );
}

function field(id, text, attributes = {}) {
  return h(
    "label",
    { class: attributes.grow ? "grow" : "" },
    h("span", { class: "select-label" }, text),
    h("input", { id, type: "text", required: true, ...attributes, grow: null }),
  );
}

/** Return the form that opens a review of a set. */
export function startReviewForm(set) {
  const status = h("p", { class: "status", role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    const { elements } = event.target;
    try {
      const opened = await client.openReview({
        name: elements["review-name"].value.trim(),
        prompt_set_id: set.id,
        reviewer: elements["review-reviewer"].value.trim(),
        reason: elements["review-reason"].value.trim(),
      });
      location.hash = `#prompts/review/${opened.id}`;
    } catch (error) {
      status.textContent = error.message;
    }
  };
  return h(
    "details",
    { class: "card" },
    h("summary", {}, h("strong", {}, "Review and publish"), h("span", { class: "hint" }, " decide on every phrase, with name and reason")),
    h(
      "form",
      { onsubmit: submit, class: "spaced" },
      h(
        "div",
        { class: "row wrap" },
        field("review-name", "Publish as", {
          pattern: "[a-z0-9][a-z0-9._\\-]{0,62}",
          placeholder: "af-study",
          title: "Lower-case letters, digits, dots and dashes",
        }),
        reviewerField("review-reviewer"),
        field("review-reason", "Why", { grow: true, maxlength: "2000", placeholder: "Prompts of the study" }),
        h("button", { type: "submit", class: "primary small" }, "Open review"),
      ),
      status,
    ),
  );
}

/** Return the panel of one review, which draws itself anew after each decision. */
export async function reviewPanel(id) {
  const panel = h("div", { class: "stack" });
  const status = h("p", { class: "status", role: "status" });
  const draw = async (review) => {
    const [events, diff] = await Promise.all([client.reviewEvents(id), client.reviewDiff(id)]);
    const reason = panel.querySelector("#decide-reason")?.value || "";
    panel.replaceChildren(...content(review, events.items, diff.changes, { act, publish, status }));
    if (panel.querySelector("#decide-reason")) panel.querySelector("#decide-reason").value = reason;
  };
  const attempt = async (call, done, onRefused = () => null) => {
    const focused = panel.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    status.textContent = "Saving\u2026";
    panel.inert = true;
    try {
      const result = await call();
      await draw(await client.review(id));
      status.textContent = done(result);
    } catch (error) {
      status.replaceChildren(error.message, error.code === "phrase_refused" ? onRefused() : "");
    } finally {
      panel.inert = false;
      if (focused) refocus(panel, focused);
    }
  };
  const signed = () => ({
    reviewer: panel.querySelector("#decide-reviewer").value.trim(),
    reason: panel.querySelector("#decide-reason").value.trim(),
  });
  const act = (decisions) => {
    const { reviewer: name, reason } = signed();
    if (!name || !reason) {
      status.textContent = "Give your name and a reason first; both go into the audit trail.";
      panel.querySelector(name ? "#decide-reason" : "#decide-reviewer").focus();
      return undefined;
    }
    return attempt(
      () => client.decide(id, { reviewer: name, reason, decisions }),
      (review) => `Saved. ${plural(review.n_pending, "phrase")} to decide.`,
      () => overrideButton(() => act(decisions.map((decision) => ({ ...decision, override: true })))),
    );
  };
  const publish = () => {
    const { reviewer: name, reason } = signed();
    return attempt(
      () => client.publish(id, { reviewer: name, reason: reason || "All phrases decided on" }),
      (done) => `Published as ${done.reference}.`,
    );
  };
  await draw(await client.review(id));
  return panel;
}

/** What verification refuses may be kept all the same; the published set says so. */
const overrideButton = (onclick) => h("button", { type: "button", class: "quiet tiny", onclick }, "Keep it all the same");

/** Give the focus back to the button of the same phrase, or to one beside it. */
function refocus(panel, label) {
  const same = panel.querySelector(`[aria-label="${CSS.escape(label)}"]`);
  (same?.disabled ? same.parentElement.querySelector("button:not(:disabled)") : same)?.focus();
}

function content(review, events, changes, { act, publish, status }) {
  const isOpen = review.state === "open";
  const phrasesOf = (label) => review.phrases.filter((item) => item.label === label);
  const pending = review.phrases.filter((item) => item.status === "pending" && !item.was_refused);
  const approveAll = () =>
    act(pending.map((item) => ({ action: "approve", label: item.label, phrase: item.phrase })));
  return [
    h(
      "div",
      { class: "card-head" },
      h("h1", {}, `Review of ${review.name} `, badge(review.state, isOpen ? "warn" : "good")),
      h("a", { href: `#prompts/${review.prompt_set_id}` }, "the set under review"),
    ),
    isOpen
      ? h(
          "div",
          { class: "card sign" },
          h(
            "div",
            { class: "row wrap" },
            reviewerField("decide-reviewer"),
            field("decide-reason", "Reason of the next decisions", { grow: true, maxlength: "2000" }),
            h("button", { type: "button", class: "quiet small", disabled: !pending.length, onclick: approveAll }, `Approve the ${pending.length} pending`),
            h("button", { type: "button", class: "primary small", disabled: review.n_pending > 0, onclick: publish }, "Publish"),
          ),
          status,
        )
      : status,
    ...Object.entries(review.prompts).map(([label, text]) => labelPanel(label, text, phrasesOf(label), isOpen, act)),
    changeList(changes),
    trail(events),
  ];
}

function labelPanel(label, text, phrases, isOpen, act) {
  return h(
    "section",
    { class: "card", "aria-label": label },
    h("h2", {}, label),
    h("p", { class: "prompt" }, text),
    h("ul", { class: "decisions" }, phrases.map((item) => phraseItem(item, isOpen, act))),
    isOpen ? proposeForm(label, act) : null,
  );
}

function phraseItem(item, isOpen, act) {
  const decide = (action, extra = {}) => act([{ action, label: item.label, phrase: item.phrase, ...extra }]);
  const button = (words, call, isHere) =>
    h("button", { type: "button", class: "quiet tiny", "aria-label": `${words} ${item.phrase}`, disabled: isHere, onclick: call }, words);
  const editor = h("span", { class: "editor", hidden: true });
  const edit = () => {
    const input = h("input", { type: "text", value: item.wording || item.phrase, maxlength: "300", "aria-label": `New wording of ${item.phrase}` });
    editor.replaceChildren(
      input,
      h("button", { type: "button", class: "quiet tiny", onclick: () => decide("edit", { text: input.value.trim() }) }, "Save wording"),
    );
    editor.hidden = false;
    input.focus();
  };
  return h(
    "li",
    { class: item.status },
    h(
      "div",
      { class: "decision-text" },
      h("span", { class: item.status === "rejected" ? "phrase struck" : "phrase" }, item.phrase),
      item.wording ? h("span", {}, "\u2192 ", h("strong", {}, item.wording)) : null,
      badge(item.relation, "plain"),
      badge(item.status === "rejected" && !item.reviewer ? "refused by verification" : item.status, STATUS[item.status]),
      sourceLine(item),
      item.reason ? h("span", { class: "source" }, item.reviewer ? `${item.reviewer}: ${item.reason}` : item.reason) : null,
      editor,
    ),
    isOpen
      ? h(
          "div",
          { class: "decision-buttons" },
          button("Approve", () => decide("approve"), item.status === "approved"),
          button("Reject", () => decide("reject"), item.status === "rejected"),
          button("Edit", edit, false),
        )
      : null,
  );
}

function proposeForm(label, act) {
  const input = h("input", { type: "text", maxlength: "300", required: true, "aria-label": `New phrase for ${label}`, placeholder: "Propose a phrase" });
  const submit = (event) => {
    event.preventDefault();
    act([{ action: "propose", label, phrase: input.value.trim() }]);
  };
  return h("form", { class: "row propose", onsubmit: submit }, input, h("button", { type: "submit", class: "quiet small" }, "Propose"));
}

function changeList(changes) {
  const line = (change) =>
    h("li", {}, badge(change.kind, "plain"), ` ${change.label}: ${change.what}`, h("span", { class: "source" }, ` ${change.reason}`));
  return h(
    "details",
    { class: "card trail" },
    h("summary", {}, h("strong", {}, "Changes against the set under review "), h("span", { class: "count" }, String(changes.length))),
    h("ol", {}, changes.map(line)),
  );
}

function trail(events) {
  const line = (event) =>
    h(
      "li",
      {},
      h("span", { class: "hint" }, when(event.at)),
      h("strong", {}, ` ${event.reviewer}`),
      ` ${event.action}`,
      event.phrase ? h("span", {}, ` \u201c${event.phrase}\u201d (${event.label})`) : null,
      h("span", { class: "source" }, ` ${event.reason}`),
    );
  return h(
    "details",
    { class: "card trail" },
    h("summary", {}, h("strong", {}, "Audit trail "), h("span", { class: "count" }, String(events.length))),
    h("ol", {}, events.map(line)),
  );
}
