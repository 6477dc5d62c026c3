/** Calls to the service. Errors are problems (RFC 9457) with a stable code. */

import { $ } from "./dom.js";

const KEY = "merl-api-key";

export class Problem extends Error {
  constructor(body) {
    super(body.detail || body.title || "The service did not answer.");
    this.code = body.code || "unreachable";
    this.title = body.title || "The service cannot be reached";
    this.status = body.status || 0;
    this.retryAfter = Number(body.retryAfter) || 0;
  }
}

function askForKey() {
  const dialog = $("key-dialog");
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const key = dialog.returnValue === "ok" ? $("key").value.trim() : "";
        $("key").value = "";
        if (key) sessionStorage.setItem(KEY, key);
        resolve(Boolean(key));
      },
      { once: true },
    );
  });
}

async function send(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key ? { "X-API-Key": key } : {}) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The service did not answer. Is it still running?" });
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && (await askForKey())) return send(path, options);
  const body = await answer.json().catch(() => ({ title: answer.statusText, status: answer.status }));
  throw new Problem({ ...body, retryAfter: answer.headers.get("retry-after") });
}

const json = async (path, options) => (await send(path, options)).json();
const posted = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
const post = (path, body) => json(path, posted(body));
const at = encodeURIComponent;
const NDJSON = "application/x-ndjson";

const brokenOff = () => new Problem({ title: "The answer broke off", detail: "The service stopped before it was done." });

/** Yield what an answer says line by line, each as soon as it is there. */
async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const read = () =>
    reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : brokenOff();
    });
  let rest = "";
  for (;;) {
    const { done, value } = await read();
    rest += value || "";
    const whole = rest.split("\n");
    rest = done ? "" : whole.pop();
    for (const line of whole) if (line.trim()) yield JSON.parse(line);
    if (done) return;
  }
}

export const ready = () => json("/ready");
export const labelSets = () => json("/label-sets");
export const labelSet = (name) => json(`/label-sets/${at(name)}`);
export const search = (query, signal) => json(`/knowledge/search?top_k=8&nearest=true&q=${at(query)}`, { signal });

// --- prompts and their review

export const promptSets = () => json("/prompt-sets?limit=50");
export const promptSet = (id) => json(`/prompt-sets/${at(id)}`);

/** Have prompts engineered; `onStep(done, total)` is told of every class. */
export async function generate(body, onStep, signal) {
  const { headers, ...options } = posted(body);
  const answer = await send("/prompts/generate", { ...options, signal, headers: { ...headers, Accept: NDJSON } });
  for await (const line of lines(answer)) {
    if (line.event === "progress") onStep(line.done, line.total);
    else if (line.event === "problem") throw new Problem(line.problem);
    else return line.prompt_set;
  }
  throw brokenOff();
}

export const reviews = () => json("/reviews?limit=100");
export const review = (id) => json(`/reviews/${at(id)}`);
export const openReview = (body) => post("/reviews", body);
export const decide = (id, body) => post(`/reviews/${at(id)}/decisions`, body);
export const publish = (id, body) => post(`/reviews/${at(id)}/publish`, body);
export const reviewEvents = (id) => json(`/reviews/${at(id)}/events?limit=200`);
export const reviewDiff = (id) => json(`/reviews/${at(id)}/diff`);
export const publications = () => json("/publications?limit=100");

// --- records

/** `classes` is `{labels: [...]}` or `{promptSet: "an id, or the JSON of a set"}`. */
function form(files, classes = {}) {
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name);
  for (const label of classes.labels || []) body.append("labels", label);
  if (classes.promptSet) body.append("prompt_set", classes.promptSet);
  return body;
}

export const classify = (files, classes) => json("/classify", { method: "POST", body: form(files, classes) });

export async function plot(files, options) {
  const query = new URLSearchParams(options);
  return (await send(`/plot?${query}`, { method: "POST", body: form(files) })).text();
}

/** Classify several records; `onItem` gets each result as soon as it is there. */
export async function classifyBatch(files, classes, onItem) {
  const answer = await send("/classify/batch", {
    method: "POST",
    body: form(files, classes),
    headers: { Accept: NDJSON },
  });
  for await (const item of lines(answer)) onItem(item);
}
