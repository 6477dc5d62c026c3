/** The drawn ECG: fetched as SVG (one unit is one millimetre), zoomed in place, dragged to pan or measure. */

import { h } from "./dom.js";

const ZOOMS = [0.75, 1, 1.35, 1.8, 2.5, 3.5];

export class EcgView {
  constructor(box) {
    this.box = box;
    this.zoom = 1;
    this.isMeasuring = false;
    this.scale = { speed: 25, gain: 10 };
    this.makeDraggable();
  }

  /** Show an SVG drawn at `speed` mm/s and `gain` mm/mV. */
  show(text, scale) {
    this.scale = scale;
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

  /** Drag to measure (calipers) instead of to pan. */
  measure(isMeasuring) {
    this.isMeasuring = isMeasuring;
    this.box.classList.toggle("measuring", isMeasuring);
    if (!isMeasuring) this.box.querySelector(".caliper")?.remove();
  }

  makeDraggable() {
    let from = null;
    this.box.addEventListener("pointerdown", (event) => {
      const isTouchPan = event.pointerType !== "mouse" && !this.isMeasuring;
      if (isTouchPan || event.button !== 0) return;
      if (this.isMeasuring) event.preventDefault();
      from = { x: event.clientX, y: event.clientY, left: this.box.scrollLeft, top: this.box.scrollTop };
      this.box.setPointerCapture(event.pointerId);
    });
    this.box.addEventListener("pointermove", (event) => {
      if (!from) return;
      if (this.isMeasuring) {
        this.drawCaliper(from, event);
        return;
      }
      this.box.scrollLeft = from.left - (event.clientX - from.x);
      this.box.scrollTop = from.top - (event.clientY - from.y);
    });
    for (const name of ["pointerup", "pointercancel"]) this.box.addEventListener(name, () => (from = null));
  }

  drawCaliper(from, to) {
    const svg = this.box.querySelector("svg");
    if (!svg) return;
    const toMillimetres = svg.getScreenCTM().inverse();
    const a = new DOMPoint(from.x, from.y).matrixTransform(toMillimetres);
    const b = new DOMPoint(to.clientX, to.clientY).matrixTransform(toMillimetres);
    const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
    const [width, height] = [Math.abs(a.x - b.x), Math.abs(a.y - b.y)];
    const ms = (width / this.scale.speed) * 1000;
    const mv = height / this.scale.gain;
    const rate = ms >= 200 ? `, ${Math.round(60000 / ms)}/min` : "";
    const group = shape("g", { class: "caliper" });
    const label = shape("text", { x: x + width / 2, y: y - 1.5, "text-anchor": "middle" });
    label.textContent = `${Math.round(ms)} ms, ${mv.toFixed(2)} mV${rate}`;
    group.append(shape("rect", { x, y, width, height }), label);
    svg.querySelector(".caliper")?.remove();
    svg.append(group);
  }
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
