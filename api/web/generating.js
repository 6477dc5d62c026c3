/** The form that has prompts engineered, class by class, with its progress. */

import * as client from "./client.js";
import { h, plural, sentence } from "./dom.js";

const MANY = 3;

/** Return the form; `labelSets` are the sets on offer, and `onMade(set)` gets what was made. */
export function generateForm(labelSets, onMade) {
  const labels = h("input", {
    id: "generate-labels",
    type: "text",
    maxlength: "2000",
    placeholder: "atrial flutter; left bundle branch block",
  });
  const whole = h(
    "select",
    { id: "generate-set" },
    h("option", { value: "" }, "none"),
    labelSets.map((set) => h("option", { value: set.name }, `${set.title} (${set.n_labels})`)),
  );
  const llm = h(
    "select",
    { id: "generate-llm" },
    h("option", { value: "auto" }, "language model if one answers"),
    h("option", { value: "off" }, "knowledge alone"),
    h("option", { value: "required" }, "language model required"),
  );
  const go = h("button", { type: "submit", class: "primary small" }, "Generate");
  const progress = new Progress();
  const submit = async (event) => {
    event.preventDefault();
    const named = labels.value.split(";").map((label) => label.trim()).filter(Boolean);
    if (!named.length && !whole.value) {
      progress.say("Name at least one class, or choose a whole set.");
      labels.focus();
      return;
    }
    go.disabled = true;
    try {
      const asked = { labels: named, label_set: whole.value || null, llm: llm.value };
      const total = named.length || labelSets.find((set) => set.name === whole.value).n_labels;
      onMade(await progress.follow(total, (onStep, signal) => client.generate(asked, onStep, signal)));
    } catch (error) {
      progress.say(error.name === "AbortError" ? "Stopped. Nothing was stored." : sentence(error.message));
    } finally {
      go.disabled = false;
    }
  };
  const field = (kind, text, control) => h("label", { class: kind }, h("span", { class: "select-label" }, text), control);
  return h(
    "form",
    { class: "card generate", onsubmit: submit, novalidate: true },
    h("h2", {}, "Generate prompts"),
    h(
      "div",
      { class: "row wrap" },
      field("grow", "Classes, separated by ;", labels),
      field("", "Whole set", whole),
      field("", "Proposed by", llm),
      go,
    ),
    progress.element,
  );
}

/** How far long work is: a bar that is drawn at every step, and words that are read out now and then. */
class Progress {
  constructor() {
    this.words = h("p", { class: "status", role: "status", "aria-live": "polite" });
    this.bar = h("progress", { value: "0", max: "1", "aria-label": "Classes done", hidden: true });
    this.stop = h("button", { type: "button", class: "quiet small", hidden: true }, "Stop");
    this.element = h("div", { class: "row progress" }, this.bar, this.words, this.stop);
  }

  say(text) {
    this.words.textContent = text;
  }

  /** Run `call(onStep, signal)`, which has `total` steps, show them, and return its result. */
  async follow(total, call) {
    const aborter = new AbortController();
    this.stop.onclick = () => aborter.abort();
    this.bar.hidden = this.stop.hidden = total <= MANY;
    this.bar.max = total;
    this.bar.value = 0;
    this.say("Engineering and verifying\u2026");
    try {
      const result = await call((done) => this.show(done, total), aborter.signal);
      this.say("");
      return result;
    } finally {
      this.bar.hidden = true;
      this.stop.hidden = true;
    }
  }

  show(done, total) {
    this.bar.value = done;
    const every = Math.max(1, Math.ceil(total / 5));
    if (done % every === 0 || done === total) this.say(`${done} of ${plural(total, "class", "classes")} done`);
  }
}
