/** The chosen classes: chips, and a combobox that completes from label sets and knowledge. */

import { debounce, h } from "./dom.js";
import * as client from "./client.js";
import { SOURCE_NAMES } from "./evidence.js";

export class ClassPicker {
  constructor({ input, options, list, onChange }) {
    this.input = input;
    this.options = options;
    this.list = list;
    this.onChange = onChange;
    this.chosen = [];
    this.known = [];
    this.active = -1;
    this.pending = null;
    this.lookUp = debounce(() => this.suggest(), 140);
    input.addEventListener("input", () => this.lookUp());
    input.addEventListener("keydown", (event) => this.onKey(event));
    input.addEventListener("paste", (event) => this.onPaste(event));
    input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  }

  /** Labels of the label sets, offered beside the knowledge base. */
  offer(labels) {
    this.known = labels;
  }

  set(labels) {
    this.chosen = [];
    this.add(labels);
  }

  add(labels) {
    for (const item of labels) {
      const chip = typeof item === "string" ? { label: item, hint: "" } : item;
      const label = chip.label.trim();
      if (label && !this.chosen.some((other) => other.label.toLowerCase() === label.toLowerCase())) {
        this.chosen.push({ ...chip, label });
      }
    }
    this.render();
  }

  remove(label) {
    this.chosen = this.chosen.filter((chip) => chip.label !== label);
    this.render();
    this.input.focus();
  }

  get labels() {
    return this.chosen.map((chip) => chip.label);
  }

  /** Take what is typed but not yet entered, so that no class is lost on "Classify". */
  takeTyped() {
    if (this.input.value.trim()) this.enter(this.input.value);
  }

  render() {
    this.list.replaceChildren(
      ...this.chosen.map((chip) =>
        h(
          "li",
          { class: "chip" },
          h("span", { class: "chip-text" }, chip.label),
          chip.hint ? h("span", { class: "chip-hint" }, chip.hint) : null,
          h(
            "button",
            { type: "button", class: "chip-x", "aria-label": `Remove ${chip.label}`, onclick: () => this.remove(chip.label) },
            "\u00d7",
          ),
        ),
      ),
    );
    this.onChange(this.labels);
  }

  enter(text) {
    this.add(text.split(";"));
    this.input.value = "";
    this.close();
  }

  onPaste(event) {
    const text = event.clipboardData.getData("text");
    if (!/[;\n]/.test(text)) return;
    event.preventDefault();
    this.enter(text.replaceAll("\n", ";"));
  }

  onKey(event) {
    const items = [...this.options.children].filter((item) => item.getAttribute("role") === "option");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!items.length) return;
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.highlight(items, (this.active + step + items.length) % items.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.active >= 0 && items[this.active]) items[this.active].click();
      else if (this.input.value.trim()) this.enter(this.input.value);
      else this.input.form.requestSubmit();
    } else if (event.key === ";") {
      event.preventDefault();
      this.takeTyped();
    } else if (event.key === "Escape") {
      this.close();
    } else if (event.key === "Backspace" && !this.input.value && this.chosen.length) {
      this.remove(this.chosen.at(-1).label);
    }
  }

  highlight(items, index) {
    this.active = index;
    items.forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    this.input.setAttribute("aria-activedescendant", items[index].id);
    items[index].scrollIntoView({ block: "nearest" });
  }

  async suggest() {
    const query = this.input.value.trim();
    this.pending?.abort();
    if (query.length < 2) {
      this.close();
      return;
    }
    const own = this.matchLabels(query);
    this.show(query, own, []);
    this.pending = new AbortController();
    try {
      const hits = await client.search(query, this.pending.signal);
      if (this.input.value.trim() === query && document.activeElement === this.input) this.show(query, own, hits);
    } catch {
      /* suggestions are a help; without them any words can be entered */
    }
  }

  matchLabels(query) {
    const needle = query.toLowerCase();
    const starts = (text) => text.toLowerCase().startsWith(needle);
    return this.known
      .filter((item) => starts(item.key) || starts(item.code) || item.meaning.toLowerCase().includes(needle))
      .sort((a, b) => Number(starts(b.code)) - Number(starts(a.code)))
      .slice(0, 5);
  }

  show(query, labels, hits) {
    const chosen = this.active >= 0 ? this.options.children[this.active]?.textContent : null;
    let n = 0;
    const option = (name, detail, tag, chip) =>
      h(
        "li",
        {
          id: `option-${n++}`,
          role: "option",
          "aria-selected": "false",
          onmousedown: (event) => event.preventDefault(),
          onclick: () => {
            this.add([chip]);
            this.input.value = "";
            this.close();
          },
        },
        h("span", { class: "option-name" }, name),
        detail ? h("span", { class: "option-detail" }, detail) : null,
        h("span", { class: "option-tag" }, tag),
      );
    const isSame = (a, b) => a.toLowerCase() === b.toLowerCase();
    this.options.replaceChildren(
      option(`\u201c${query}\u201d`, "", "as typed", { label: query, hint: "" }),
      ...hits.map((hit) =>
        option(
          hit.canonical_name,
          isSame(hit.matched, hit.canonical_name) || hit.matched.length > 60 ? "" : hit.matched,
          SOURCE_NAMES[hit.source] || hit.source,
          { label: hit.canonical_name, hint: "" },
        ),
      ),
      ...labels.map((item) => option(item.meaning, item.key, "label set", { label: item.key, hint: item.meaning })),
    );
    this.active = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.options.hidden = false;
    this.place();
    this.input.setAttribute("aria-expanded", "true");
    const items = [...this.options.children];
    const same = chosen === null ? -1 : items.findIndex((item) => item.textContent === chosen);
    if (same >= 0) this.highlight(items, same);
  }

  /** Open the list where there is room for it: beneath the field, or above. */
  place() {
    const { top, bottom } = this.input.getBoundingClientRect();
    const [above, below] = [top - 24, innerHeight - bottom - 24];
    const isAbove = below < 240 && above > below;
    this.options.classList.toggle("above", isAbove);
    this.options.style.maxHeight = `${Math.min(340, Math.max(140, isAbove ? above : below))}px`;
  }

  close() {
    this.options.hidden = true;
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
