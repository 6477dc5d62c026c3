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

export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

export const number = (value, digits) => (value === null || value === undefined ? "\u2013" : value.toFixed(digits));

export const hidden = (text) => h("span", { class: "visually-hidden" }, text);

export const badge = (text, kind) => h("span", { class: `badge ${kind}` }, text);

export const when = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
