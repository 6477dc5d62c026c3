/** History: answers and drawings, kept in this browser only. Recordings are not kept. */

import { $, badge, h, number, when } from "./dom.js";
import { nameOf, sortScores } from "./results.js";

const DATABASE = "merl-history";
const STORE = "answers";
const SWITCH = "merl-history-off";
const MAX_ENTRIES = 60;

export const isKept = () => localStorage.getItem(SWITCH) === null;

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Run `use(store)` in a transaction and return its result once that is written. */
async function transact(mode, use) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = use(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export const entries = async () => (await transact("readonly", (store) => store.getAll())).reverse();
const remove = (id) => transact("readwrite", (store) => store.delete(id));
const clear = () => transact("readwrite", (store) => store.clear());

/** Keep an answer: `{name, answer, prompts, svg, scale}`. */
export async function keep(entry) {
  if (!isKept()) return;
  await transact("readwrite", (store) => store.add({ ...entry, at: Date.now() }));
  for (const old of (await entries()).slice(MAX_ENTRIES)) await remove(old.id);
}

/** Show the history in its view; `onOpen(entry)` shows one answer. */
export async function showHistory(onOpen) {
  const again = () => showHistory(onOpen);
  const kept = await entries();
  const toggle = h("input", {
    type: "checkbox",
    id: "keep-history",
    checked: isKept(),
    onchange: (event) => {
      if (event.target.checked) localStorage.removeItem(SWITCH);
      else localStorage.setItem(SWITCH, "1");
    },
  });
  const head = h(
    "div",
    { class: "card-head" },
    h("h1", {}, "History"),
    h(
      "div",
      { class: "tools" },
      h("label", { class: "radio", for: "keep-history" }, toggle, "keep answers"),
      kept.length ? h("button", { type: "button", class: "quiet small", onclick: () => clear().then(again) }, "Clear all") : null,
    ),
  );
  const note = h("p", { class: "lead" }, "Answers and drawings stay in this browser; the service keeps neither, and recordings are kept nowhere.");
  const list = kept.length
    ? h("ul", { class: "history" }, kept.map((entry) => entryItem(entry, onOpen, again)))
    : h("p", { class: "card hint" }, "Nothing yet. Classified recordings appear here.");
  $("view-history").replaceChildren(head, note, list);
}

function entryItem(entry, onOpen, again) {
  const best = sortScores(entry.answer.scores, "percentile")[0];
  return h(
    "li",
    { class: "card entry" },
    h("button", { type: "button", class: "link entry-name", onclick: () => onOpen(entry) }, entry.name),
    h("span", { class: "hint" }, when(entry.at)),
    h("span", { class: "entry-best" }, nameOf(best), " ", badge(number(best.percentile, 1), "plain")),
    h(
      "button",
      { type: "button", class: "chip-x", "aria-label": `Forget ${entry.name}`, onclick: () => remove(entry.id).then(again) },
      "\u00d7",
    ),
  );
}
