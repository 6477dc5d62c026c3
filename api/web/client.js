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

export const ready = () => json("/ready");
export const labelSets = () => json("/label-sets");
export const labelSet = (name) => json(`/label-sets/${encodeURIComponent(name)}`);
export const promptSet = (id) => json(`/prompt-sets/${encodeURIComponent(id)}`);
export const search = (query, signal) =>
  json(`/knowledge/search?top_k=8&q=${encodeURIComponent(query)}`, { signal });

function form(files, labels) {
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name);
  for (const label of labels || []) body.append("labels", label);
  return body;
}

export const classify = (files, labels) =>
  json("/classify", { method: "POST", body: form(files, labels) });

export async function plot(files, options) {
  const query = new URLSearchParams(options);
  return (await send(`/plot?${query}`, { method: "POST", body: form(files) })).text();
}

/** Classify several records; `onItem` gets each result as soon as it is there. */
export async function classifyBatch(files, labels, onItem) {
  const answer = await send("/classify/batch", {
    method: "POST",
    body: form(files, labels),
    headers: { Accept: "application/x-ndjson" },
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += value || "";
    const lines = rest.split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) if (line.trim()) onItem(JSON.parse(line));
    if (done) return;
  }
}
