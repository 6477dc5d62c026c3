/** Small helpers around the document; text is always set as text, never as markup. */

export const $ = (id) => document.getElementById(id);

/** Return a new element: h("p", {class: "hint"}, "text", child, ...). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
  return element;
}

export function debounce(call, ms) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), ms);
  };
}

export const plural = (n, word, many = `${word}s`) => `${n} ${n === 1 ? word : many}`;

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A figure for reading: with a true minus, and a dash where there is none. */
export const number = (value, digits) =>
  value === null || value === undefined ? "\u2013" : value.toFixed(digits).replace("-", "\u2212");

export const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

export const hidden = (text) => h("span", { class: "visually-hidden" }, text);

export const badge = (text, kind) => h("span", { class: `badge ${kind}` }, text);

export const when = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
