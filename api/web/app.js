/** The page: views, keyboard, theme, and what the service says of itself. */

import { ecg, openEntry, redraw, run, say, showProblem, startClassifying, toggleCalipers, usePromptSet } from "./classifying.js";
import * as client from "./client.js";
import { $ } from "./dom.js";
import { showHistory } from "./history.js";
import { promptsView } from "./prompts.js";
import { onTheme, startTheme } from "./theme.js";

const VIEWS = ["classify", "prompts", "history"];
const TITLES = { classify: "classify an ECG in your own words", prompts: "prompts and their review", history: "history" };

const go = (view) => (location.hash = `#${view}`);

async function waitUntilReady() {
  const mode = $("mode");
  for (;;) {
    try {
      const answer = await client.ready();
      mode.hidden = false;
      mode.className = "pill";
      mode.textContent = answer.llm ? `LLM: ${answer.llm}` : "Knowledge only";
      mode.title = answer.llm
        ? "A language model proposes phrases; the knowledge base decides."
        : `No language model is set: prompts come from ${answer.n_concepts.toLocaleString()} concepts alone.`;
      say("");
      $("problem").hidden = true;
      return answer;
    } catch (error) {
      mode.hidden = false;
      mode.className = "pill waiting";
      const percent = /(\d+) %/.exec(error.message);
      mode.textContent = percent ? `Indexing knowledge ${percent[1]} %` : "Starting\u2026";
      mode.title = error.message;
      if (error.code !== "not_ready") showProblem(error);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

let nShown = 0;

async function showView() {
  const turn = (nShown += 1);
  const [wanted, ...rest] = location.hash.slice(1).split("/");
  const view = VIEWS.includes(wanted) ? wanted : "classify";
  for (const name of VIEWS) $(`view-${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll(".views a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `merl-ckepe: ${TITLES[view]}`;
  if (view === "history") await showHistory(openKept);
  if (view === "prompts") {
    await whenReady;
    const content = await promptsView(rest, useSet);
    if (turn === nShown) $("view-prompts").replaceChildren(...content);
  }
}

function openKept(entry) {
  go("classify");
  openEntry(entry);
}

function useSet(set, name) {
  usePromptSet(set, name);
  go("classify");
}

const isTyping = (target) => target.matches("input, textarea, select, [contenteditable]");

const SHORTCUTS = {
  o: () => $("file").click(),
  "/": () => $("class-input").focus(),
  c: toggleCalipers,
  "+": () => ecg.step(1),
  "=": () => ecg.step(1),
  "-": () => ecg.step(-1),
  1: () => go("classify"),
  2: () => go("prompts"),
  3: () => go("history"),
  "?": () => $("help-dialog").showModal(),
};

function onKey(event) {
  const isClassifying = !$("view-classify").hidden;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && isClassifying) {
    event.preventDefault();
    run();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const act = SHORTCUTS[event.key];
  if (!act || (!isClassifying && !"123?".includes(event.key))) return;
  event.preventDefault();
  act();
}

startTheme($("theme"));
onTheme(redraw);
$("help").addEventListener("click", SHORTCUTS["?"]);
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("results").focus();
});
addEventListener("keydown", onKey);
addEventListener("hashchange", () => showView().catch(showProblem));
const whenReady = waitUntilReady();
startClassifying(whenReady);
showView().catch(showProblem);
