/** The page: wires the form, the drawn ECG and the results. */

import { $, h, plural } from "./dom.js";
import * as client from "./client.js";
import { ClassPicker } from "./classes.js";
import { EcgView } from "./ecg.js";
import { batchCsv, batchTable, recordFacts, recordNotes, scoreItems, sortScores } from "./results.js";
import { onTheme, startTheme, theme } from "./theme.js";

const EXAMPLE = "/static/example-ecg.csv";
const FIRST_CLASSES = [
  "normal ECG",
  "atrial fibrillation",
  "left bundle branch block",
  "first degree AV block",
  "left ventricular hypertrophy",
];
const PARTS = /\.(hea|dat|mat|xyz|atr|flac)$/i;

const state = { files: [], name: "", isExample: false, answer: null, prompts: new Map(), items: [], busy: false };

const picker = new ClassPicker({
  input: $("class-input"),
  options: $("class-options"),
  list: $("chips"),
  onChange: () => showReadiness(),
});
const ecg = new EcgView($("ecg"));

function say(text) {
  $("status").textContent = text;
}

function showProblem(error) {
  const box = $("problem");
  box.replaceChildren(h("strong", {}, error.title || "Something went wrong"), h("span", {}, error.message));
  box.hidden = false;
}

function showReadiness() {
  const button = $("classify");
  const n = picker.labels.length;
  button.disabled = state.busy;
  button.textContent = state.busy ? "Classifying\u2026" : n ? `Classify against ${n === 1 ? "1 class" : `${n} classes`}` : "Classify";
}

// --- files

/** Group files as the service does: parts of a WFDB record share a stem. */
function countRecords(files) {
  const stem = (name) => name.replace(/\.[^.]*$/, "");
  const headers = new Set(files.filter((f) => /\.hea$/i.test(f.name)).map((f) => stem(f.name)));
  return new Set(files.map((f) => (PARTS.test(f.name) && headers.has(stem(f.name)) ? `record ${stem(f.name)}` : `file ${f.name}`))).size;
}

async function take(files, { isExample = false } = {}) {
  if (!files.length) return;
  state.files = [...files];
  state.isExample = isExample;
  const n = countRecords(state.files);
  state.name = isExample ? "Example ECG (simulated)" : n > 1 ? plural(n, "recording") : state.files[0].name;
  $("drop").classList.add("has-file");
  $("drop-title").textContent = state.name;
  $("drop-hint").textContent = isExample ? "Made by the simulator: no patient's data" : n > 1 ? "Classified together, one line each" : "Drop another to replace it";
  if (picker.labels.length) await run();
  else say("Now name the classes.");
}

async function takeExample() {
  const content = await (await fetch(EXAMPLE)).blob();
  await take([new File([content], "example-ecg.csv", { type: "text/csv" })], { isExample: true });
}

// --- classify

async function run() {
  picker.takeTyped();
  $("problem").hidden = true;
  if (!state.files.length) return showProblem({ title: "No recording", message: "Choose a file, or try the example." });
  if (!picker.labels.length) return showProblem({ title: "No class", message: "Name at least one finding." });
  if (state.busy) return undefined;
  state.busy = true;
  showReadiness();
  $("results").setAttribute("aria-busy", "true");
  say("Waiting for the model\u2026");
  try {
    await whenReady;
    say("Reading the recording\u2026");
    if (countRecords(state.files) > 1) await runBatch();
    else await runOne(state.files);
  } catch (error) {
    say("");
    showProblem(error);
  } finally {
    state.busy = false;
    $("results").removeAttribute("aria-busy");
    showReadiness();
  }
  return undefined;
}

async function runOne(files) {
  const drawing = draw(files);
  const answer = await client.classify(files, picker.labels);
  $("batch").hidden = true;
  state.shown = files;
  await show(answer);
  await drawing;
}

async function runBatch() {
  state.items = [];
  $("empty").hidden = true;
  $("outcome").hidden = true;
  const box = $("batch");
  box.hidden = false;
  const total = countRecords(state.files);
  const draw = () => {
    box.replaceChildren(
      h(
        "div",
        { class: "card-head" },
        h("h2", {}, `${plural(total, "recording")}`),
        h("button", { type: "button", class: "quiet small", onclick: () => save("classification.csv", batchCsv(state.items), "text/csv") }, "Download CSV"),
      ),
      batchTable(state.items, openItem),
    );
  };
  await client.classifyBatch(state.files, picker.labels, (item) => {
    state.items.push(item);
    say(`${state.items.length} of ${total} done`);
    draw();
  });
  const failed = state.items.filter((item) => item.error).length;
  say(`${plural(total, "recording")} done${failed ? `, ${failed} could not be read` : ""}.`);
}

async function openItem(item) {
  const files = state.files.filter((file) => item.files.includes(file.name));
  state.name = item.files.join(" + ");
  state.shown = files;
  await show(item.result);
  $("outcome").scrollIntoView({ behavior: "smooth", block: "start" });
  await redraw();
}

async function show(answer) {
  state.answer = answer;
  state.prompts = new Map();
  try {
    const set = await client.promptSet(answer.prompt_set.id);
    state.prompts = new Map(set.prompts.map((prompt) => [prompt.label, prompt]));
  } catch {
    /* the scores stand without their evidence */
  }
  $("empty").hidden = true;
  $("outcome").hidden = false;
  $("record-title").textContent = state.name;
  $("facts").replaceChildren(...recordFacts(answer.record));
  $("record-notes").replaceChildren(...recordNotes(answer));
  $("disclaimer").textContent = answer.disclaimer;
  const by = answer.prompt_set.llm ? `proposed by ${answer.prompt_set.llm}, then verified` : "from knowledge alone, no language model";
  $("scores-hint").textContent =
    `Prompts ${by}. The percentile says where this score lies among the reference recordings for the same prompt. Open a class for its evidence.`;
  renderScores();
  const best = sortScores(answer.scores, $("sort").value)[0];
  say(`Done in ${Math.round(answer.timings_ms.total)} ms. Highest: ${best.label}.`);
}

function renderScores() {
  const open = new Set([...$("scores").querySelectorAll("details.score[open]")].map((item) => item.dataset.label));
  const sorted = sortScores(state.answer.scores, $("sort").value);
  const items = scoreItems(sorted, state.prompts);
  items.forEach((item, i) => {
    const details = item.firstElementChild;
    details.dataset.label = sorted[i].label;
    details.open = open.has(sorted[i].label);
  });
  $("scores").replaceChildren(...items);
}

// --- the drawing

async function draw(files) {
  const gain = $("gain").value;
  try {
    const svg = await client.plot(files, { layout: $("layout").value, gain_mm_mv: gain, theme: theme() });
    ecg.show(svg, { speed: 25, gain: Number(gain) });
  } catch (error) {
    ecg.fail(`The recording could not be drawn. ${error.message}`);
  }
}

async function redraw() {
  if (state.shown?.length) await draw(state.shown);
}

function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// --- start

async function loadLabelSets() {
  const sets = await client.labelSets();
  $("label-set").append(...sets.map((set) => h("option", { value: set.name }, `${set.title} (${set.n_labels})`)));
  const full = await Promise.all(sets.map((set) => client.labelSet(set.name)));
  picker.offer(full.flatMap((set) => set.labels));
}

async function waitUntilReady() {
  const mode = $("mode");
  for (;;) {
    try {
      const answer = await client.ready();
      mode.hidden = false;
      mode.className = "pill";
      mode.textContent = answer.llm ? `LLM: ${answer.llm}` : "Knowledge-only mode";
      mode.title = answer.llm
        ? "A language model proposes phrases; the knowledge base decides."
        : `No language model is set: prompts come from ${answer.n_concepts.toLocaleString()} concepts alone.`;
      say("");
      return;
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

function wire() {
  startTheme($("theme"));
  onTheme(() => redraw());
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
  for (const id of ["layout", "gain"]) $(id).addEventListener("change", redraw);
  $("zoom-in").addEventListener("click", () => ecg.step(1));
  $("zoom-out").addEventListener("click", () => ecg.step(-1));
  $("measure").addEventListener("click", (event) => {
    const isOn = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(isOn));
    ecg.measure(isOn);
  });
  $("sort").addEventListener("change", renderScores);
  $("download").addEventListener("click", () => save("classification.json", JSON.stringify(state.answer, null, 2), "application/json"));
  wireDrop($("drop"));
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
    take(event.dataTransfer.files);
  });
}

wire();
picker.set(FIRST_CLASSES);
const whenReady = waitUntilReady();
whenReady.then(loadLabelSets).catch(() => {});
