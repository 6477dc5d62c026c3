/** The view that classifies: recording, classes, drawing and results. */

import { BatchTable } from "./batch.js";
import { ClassPicker } from "./classes.js";
import * as client from "./client.js";
import { wordingTrial } from "./compare.js";
import { $, duration, h, plural, sentence } from "./dom.js";
import { EcgView } from "./ecg.js";
import { countRecords, save } from "./files.js";
import { keep } from "./history.js";
import { nameOf, recordFacts, recordNotes, scoreItems, sortScores } from "./results.js";
import { theme } from "./theme.js";

const EXAMPLE = "/static/example-ecg.csv";
const FORMATS = "Read are DICOM, SCP-ECG, WFDB (all its parts, or a zip), aECG and other XML, FHIR, EDF, CSV, MAT and more.";
const FIRST_CLASSES = [
  "normal ECG",
  "atrial fibrillation",
  "left bundle branch block",
  "first degree AV block",
  "left ventricular hypertrophy",
];

const state = {
  files: [],
  shown: [],
  name: "",
  answer: null,
  prompts: new Map(),
  promptSet: null,
  busy: false,
};

const picker = new ClassPicker({
  input: $("class-input"),
  options: $("class-options"),
  list: $("chips"),
  onChange: () => showReadiness(),
});
const batch = new BatchTable(openItem);
export const ecg = new EcgView($("ecg"), (words) => {
  $("readout").hidden = !words;
  $("readout").textContent = words;
});

let whenReady = Promise.resolve();
let nDrawn = 0;

export function say(text) {
  $("status").textContent = text;
}

/** Say what went wrong; `about` names the recording that it is about. */
export function showProblem(error, about = "") {
  const title = error.title || "Something went wrong";
  const detail = error.code === "unknown_format" ? FORMATS : sentence(error.message);
  const parts = [h("strong", {}, about ? `${about}: ${title}` : title), h("span", {}, detail)];
  if (error.retryAfter) parts.push(h("span", {}, `Try again in ${plural(error.retryAfter, "second")}.`));
  $("problem").replaceChildren(...parts);
  $("problem").hidden = false;
}

function showReadiness() {
  const n = state.promptSet ? state.promptSet.prompts.length : picker.labels.length;
  const asked = n ? `Classify against ${plural(n, "class", "classes")}` : "Classify";
  $("classify").disabled = state.busy;
  $("classify").textContent = state.busy ? "Classifying\u2026" : asked;
}

// --- classes

/** Fix the prompts to a stored set; null goes back to classes in words. */
export function usePromptSet(set, name = "") {
  state.promptSet = set;
  const box = $("fixed-set");
  for (const id of ["chips-box", "set-row"]) $(id).hidden = Boolean(set);
  box.hidden = !set;
  if (set) {
    const labels = set.prompts.map((prompt) => prompt.label).join(", ");
    box.replaceChildren(
      h("strong", {}, name || `Prompt set ${set.id.slice(0, 10)}`),
      h("span", { class: "hint" }, `${plural(set.prompts.length, "fixed prompt")}: ${labels}`),
      h("button", { type: "button", class: "link", onclick: () => usePromptSet(null) }, "Use classes in words instead"),
    );
  }
  showReadiness();
}

const chosenClasses = () => (state.promptSet ? { promptSet: state.promptSet.id } : { labels: picker.labels });
const hasClasses = () => Boolean(state.promptSet) || picker.labels.length > 0;

// --- files

async function take(files, { isExample = false } = {}) {
  if (!files.length) return;
  state.files = [...files];
  const n = countRecords(state.files);
  state.name = isExample ? "Example ECG (simulated)" : n > 1 ? plural(n, "recording") : state.files[0].name;
  $("drop").classList.add("has-file");
  $("drop-title").textContent = state.name;
  const many = n > 1 ? "Classified together, one line each" : "Drop another to replace it";
  $("drop-hint").textContent = isExample ? "Made by the simulator: no patient's data" : many;
  if (hasClasses()) await run();
  else say("Now name the classes.");
}

async function takeExample() {
  const content = await (await fetch(EXAMPLE)).blob();
  await take([new File([content], "example-ecg.csv", { type: "text/csv" })], { isExample: true });
}

// --- classify

export async function run() {
  picker.takeTyped();
  $("problem").hidden = true;
  if (!state.files.length) return showProblem({ title: "No recording", message: "Choose a file, or try the example." });
  if (!hasClasses()) return showProblem({ title: "No class", message: "Name at least one finding." });
  if (state.busy) return undefined;
  state.busy = true;
  showReadiness();
  $("results").setAttribute("aria-busy", "true");
  say("Waiting for the model\u2026");
  try {
    await whenReady;
    say("Reading the recording\u2026");
    if (countRecords(state.files) > 1) await runBatch();
    else await runOne();
    bringIntoView();
  } catch (error) {
    say("");
    showProblem(error, error.isAboutRecord ? state.name : "");
    bringIntoView();
  } finally {
    state.busy = false;
    $("results").removeAttribute("aria-busy");
    showReadiness();
  }
  return undefined;
}

/** On narrow screens the results are beneath the form: go to them. */
function bringIntoView() {
  const results = $("results");
  if (results.getBoundingClientRect().top > innerHeight / 2) results.scrollIntoView({ block: "start" });
}

async function runOne() {
  const { files, name } = state;
  const drawing = draw(files);
  let answer;
  try {
    answer = await client.classify(files, chosenClasses());
  } catch (error) {
    await showUnclassified(name, drawing);
    error.isAboutRecord = error.status === 415 || error.status === 422;
    throw error;
  }
  $("batch").hidden = true;
  state.shown = files;
  await show(answer, name);
  await drawing;
  const prompts = [...state.prompts.values()];
  await keep({ name, answer, prompts, svg: ecg.markup, scale: ecg.scale }).catch(() => {});
}

/** What could not be classified may still be drawn; nothing of the recording before it stays. */
async function showUnclassified(name, drawing) {
  const isDrawn = await drawing;
  $("batch").hidden = true;
  $("empty").hidden = true;
  $("outcome").hidden = !isDrawn;
  $("scores-card").hidden = true;
  $("record-title").textContent = name;
  for (const id of ["facts", "record-notes"]) $(id).replaceChildren();
  state.shown = isDrawn ? state.files : [];
  state.answer = null;
}

async function runBatch() {
  $("empty").hidden = true;
  $("outcome").hidden = true;
  batch.clear();
  const total = countRecords(state.files);
  const progress = h("progress", { max: String(total), value: "0", "aria-label": "Recordings done" });
  const download = () => save("classification.csv", batch.csv(), "text/csv");
  $("batch").replaceChildren(
    h(
      "div",
      { class: "card-head" },
      h("h2", {}, plural(total, "recording")),
      h("div", { class: "tools" }, progress, h("button", { type: "button", class: "quiet small", onclick: download }, "Download CSV")),
    ),
    batch.element,
  );
  $("batch").hidden = false;
  await client.classifyBatch(state.files, chosenClasses(), (item) => {
    batch.add(item);
    progress.value = batch.items.length;
    say(`${batch.items.length} of ${total} done`);
  });
  progress.hidden = true;
  const failed = batch.items.filter((item) => item.error).length;
  say(`${plural(total, "recording")} done${failed ? `, ${failed} could not be read` : ""}.`);
}

async function openItem(item) {
  state.shown = state.files.filter((file) => item.files.includes(file.name));
  await show(item.result, item.files.join(" + "));
  $("outcome").scrollIntoView({ behavior: "smooth", block: "start" });
  await redraw();
}

/** Show an entry of the history; its recording is not kept, its drawing is. */
export function openEntry(entry) {
  state.shown = [];
  nDrawn += 1;
  $("batch").hidden = true;
  showAnswer(entry.answer, entry.name, entry.prompts);
  if (entry.svg) ecg.show(entry.svg, entry.scale);
  else ecg.fail("The drawing was not kept.");
}

async function show(answer, name) {
  let prompts = [];
  try {
    prompts = (await client.promptSet(answer.prompt_set.id)).prompts;
  } catch {
    /* the scores stand without their evidence */
  }
  showAnswer(answer, name, prompts);
}

function showAnswer(answer, name, prompts) {
  state.answer = answer;
  state.prompts = new Map(prompts.map((prompt) => [prompt.label, prompt]));
  $("empty").hidden = true;
  $("problem").hidden = true;
  $("outcome").hidden = false;
  $("scores-card").hidden = false;
  $("record-title").textContent = name;
  $("facts").replaceChildren(...recordFacts(answer.record));
  $("record-notes").replaceChildren(...recordNotes(answer));
  $("disclaimer").textContent = answer.disclaimer;
  const { llm, published_as: published } = answer.prompt_set;
  const by = llm ? `proposed by ${llm}, then verified` : "from knowledge alone, no language model";
  const origin = published ? `Prompts reviewed and published as ${published}` : `Prompts ${by}`;
  $("scores-hint").textContent =
    `${origin}. Percentile: place of the score among ${answer.model.n_reference.toLocaleString()} reference recordings for the same prompt. ` +
    "Open a class for its evidence, and to try another wording.";
  renderScores();
  const best = sortScores(answer.scores, $("sort").value)[0];
  say(`Done in ${duration(answer.timings_ms.total)}. Highest: ${nameOf(best)}.`);
}

function renderScores() {
  const open = new Set([...$("scores").querySelectorAll("details.score[open]")].map((item) => item.dataset.label));
  const sorted = sortScores(state.answer.scores, $("sort").value);
  const files = state.shown;
  const items = scoreItems(sorted, state.prompts, (score, prompt) => wordingTrial(score, prompt, files));
  items.forEach((item, i) => {
    const details = item.firstElementChild;
    details.dataset.label = sorted[i].label;
    details.open = open.has(sorted[i].label);
  });
  $("scores").replaceChildren(...items);
}

// --- the drawing

/** Draw files as the controls say, unless they say otherwise by then; return whether that could be done. */
async function draw(files) {
  const turn = (nDrawn += 1);
  const [speed, gain] = [Number($("speed").value), Number($("gain").value)];
  const options = { layout: $("layout").value, speed_mm_s: speed, gain_mm_mv: gain, theme: theme() };
  try {
    const drawing = await client.plot(files, options);
    if (turn !== nDrawn) return true;
    ecg.show(drawing, { speed, gain });
    ecg.measure(ecg.isMeasuring);
    return true;
  } catch (error) {
    if (turn === nDrawn) ecg.fail(`The recording could not be drawn. ${error.message}`);
    return false;
  }
}

export async function redraw() {
  if (state.shown.length) await draw(state.shown);
}

export function toggleCalipers() {
  const isOn = !ecg.isMeasuring;
  $("measure").setAttribute("aria-pressed", String(isOn));
  ecg.measure(isOn);
  if (isOn) $("ecg").focus({ preventScroll: true });
}

// --- start

async function loadLabelSets() {
  const sets = await client.labelSets();
  $("label-set").append(...sets.map((set) => h("option", { value: set.name }, `${set.title} (${set.n_labels})`)));
  const full = await Promise.all(sets.map((set) => client.labelSet(set.name)));
  picker.offer(full.flatMap((set) => set.labels));
}

/** Wire the view; `ready` resolves once the service can classify. */
export function startClassifying(ready) {
  whenReady = ready;
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  $("file").addEventListener("change", (event) => take(event.target.files));
  $("example").addEventListener("click", () => takeExample().catch(showProblem));
  $("clear").addEventListener("click", () => picker.set([]));
  $("label-set").addEventListener("change", async (event) => {
    if (!event.target.value) return;
    const set = await client.labelSet(event.target.value);
    picker.set(set.labels.map((label) => ({ label: label.key, hint: label.meaning })));
    event.target.value = "";
  });
  for (const id of ["layout", "gain", "speed"]) $(id).addEventListener("change", redraw);
  $("zoom-in").addEventListener("click", () => ecg.step(1));
  $("zoom-out").addEventListener("click", () => ecg.step(-1));
  $("measure").addEventListener("click", toggleCalipers);
  $("sort").addEventListener("change", renderScores);
  $("download").addEventListener("click", () =>
    save("classification.json", JSON.stringify(state.answer, null, 2), "application/json"),
  );
  wireDrop($("drop"));
  picker.set(FIRST_CLASSES);
  whenReady.then(loadLabelSets).catch(() => {});
}

function wireDrop(zone) {
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle("over", depth > 0);
  };
  addEventListener("dragenter", () => mark(1));
  addEventListener("dragleave", () => mark(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    zone.classList.remove("over");
    location.hash = "#classify";
    take(event.dataTransfer.files);
  });
}
