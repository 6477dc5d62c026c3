/** Files that were dropped or chosen: which belong together, and saving results as files. */

import { h } from "./dom.js";

const PARTS = /\.(hea|dat|mat|xyz|atr|flac)$/i;

/** Group files as the service does: parts of a WFDB record share a stem. */
export function countRecords(files) {
  const stem = (name) => name.replace(/\.[^.]*$/, "");
  const headers = new Set(files.filter((file) => /\.hea$/i.test(file.name)).map((file) => stem(file.name)));
  const keys = files.map((file) =>
    PARTS.test(file.name) && headers.has(stem(file.name)) ? `record ${stem(file.name)}` : `file ${file.name}`,
  );
  return new Set(keys).size;
}

export function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
