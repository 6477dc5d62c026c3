/** The drawn ECG: fetched as SVG, zoomed in place, dragged to pan. */

import { h } from "./dom.js";

const ZOOMS = [0.75, 1, 1.35, 1.8, 2.5, 3.5];

export class EcgView {
  constructor(box) {
    this.box = box;
    this.zoom = 1;
    this.makePannable();
  }

  show(text) {
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    if (parsed.nodeName !== "svg") return;
    const svg = document.importNode(parsed, true);
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.setAttribute("role", "img");
    if (!svg.querySelector("title")) svg.setAttribute("aria-label", "Twelve-lead ECG");
    this.box.replaceChildren(svg);
    this.resize();
  }

  fail(message) {
    this.box.replaceChildren(h("p", { class: "hint" }, message));
  }

  step(direction) {
    const next = Math.min(ZOOMS.length - 1, Math.max(0, ZOOMS.indexOf(this.zoom) + direction));
    this.zoom = ZOOMS[next];
    this.resize();
  }

  resize() {
    const svg = this.box.firstElementChild;
    if (svg) svg.style.width = `max(${Math.round(this.zoom * 100)}%, ${Math.round(this.zoom * 640)}px)`;
  }

  makePannable() {
    let from = null;
    this.box.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY, left: this.box.scrollLeft, top: this.box.scrollTop };
      this.box.setPointerCapture(event.pointerId);
    });
    this.box.addEventListener("pointermove", (event) => {
      if (!from) return;
      this.box.scrollLeft = from.left - (event.clientX - from.x);
      this.box.scrollTop = from.top - (event.clientY - from.y);
    });
    for (const name of ["pointerup", "pointercancel"]) this.box.addEventListener(name, () => (from = null));
  }
}
