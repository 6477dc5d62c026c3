/** The drawn ECG: an SVG whose unit is one millimetre, zoomed in place, dragged to pan or measure. */

import { h } from "./dom.js";

const ZOOMS = [0.75, 1, 1.35, 1.8, 2.5, 3.5, 5];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SVG = "http://www.w3.org/2000/svg";

export class EcgView {
  /** `onMeasure` gets the caliper's reading in words, or an empty text. */
  constructor(box, onMeasure) {
    this.box = box;
    this.onMeasure = onMeasure;
    this.zoom = 1;
    this.isMeasuring = false;
    this.caliper = null;
    this.scale = { speed: 25, gain: 10 };
    this.markup = "";
    this.makeDraggable();
    box.addEventListener("keydown", (event) => this.onKey(event));
    box.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
  }

  /** Show an SVG drawn at `speed` mm/s and `gain` mm/mV. */
  show(text, scale) {
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    if (parsed.nodeName !== "svg") return;
    this.scale = scale;
    this.markup = text;
    const svg = document.importNode(parsed, true);
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.setAttribute("role", "img");
    if (!svg.querySelector("title")) svg.setAttribute("aria-label", "Twelve-lead ECG");
    this.box.replaceChildren(svg);
    this.caliper = null;
    this.onMeasure("");
    this.resize();
  }

  fail(message) {
    this.markup = "";
    this.box.replaceChildren(h("p", { class: "hint" }, message));
  }

  get svg() {
    return this.box.querySelector("svg");
  }

  step(direction) {
    const next = Math.min(ZOOMS.length - 1, Math.max(0, ZOOMS.indexOf(this.zoom) + direction));
    const { scrollWidth, scrollHeight, scrollLeft, scrollTop, clientWidth, clientHeight } = this.box;
    const middle = [(scrollLeft + clientWidth / 2) / scrollWidth, (scrollTop + clientHeight / 2) / scrollHeight];
    this.zoom = ZOOMS[next];
    this.resize();
    this.box.scrollLeft = middle[0] * this.box.scrollWidth - clientWidth / 2;
    this.box.scrollTop = middle[1] * this.box.scrollHeight - clientHeight / 2;
  }

  resize() {
    const { svg } = this;
    if (svg) svg.style.width = `max(${Math.round(this.zoom * 100)}%, ${Math.round(this.zoom * 640)}px)`;
  }

  onWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.step(event.deltaY < 0 ? 1 : -1);
  }

  // --- calipers

  /** Drag to measure instead of to pan. */
  measure(isMeasuring) {
    this.isMeasuring = isMeasuring;
    this.box.classList.toggle("measuring", isMeasuring);
    if (!isMeasuring) {
      this.caliper = null;
      this.svg?.querySelector(".caliper")?.remove();
      this.onMeasure("");
    } else if (this.svg && !this.caliper) {
      this.place({ x: 25, y: 12, width: this.scale.speed / 2, height: this.scale.gain });
    }
  }

  onKey(event) {
    const arrow = ARROWS[event.key];
    if (!this.isMeasuring || !this.caliper || !arrow) return;
    event.preventDefault();
    const step = event.altKey ? 0.25 : 1;
    const [dx, dy] = arrow.map((value) => value * step);
    const { x, y, width, height } = this.caliper;
    if (event.shiftKey) this.place({ x, y, width: Math.max(0, width + dx), height: Math.max(0, height - dy) });
    else this.place({ x: x + dx, y: y + dy, width, height });
  }

  place(caliper) {
    this.caliper = caliper;
    const { x, y, width, height } = caliper;
    const { svg } = this;
    const whole = svg.viewBox.baseVal;
    const words = this.reading();
    const line = (x1, y1, x2, y2, kind) => shape("line", { x1, y1, x2, y2, class: kind });
    const label = shape("text", { x: x + width / 2, y: Math.max(5, y - 2), "text-anchor": "middle" });
    label.textContent = words;
    const group = shape("g", { class: "caliper", "aria-hidden": "true" });
    group.append(
      shape("rect", { x, y, width, height }),
      line(x, 0, x, whole.height, "guide"),
      line(x + width, 0, x + width, whole.height, "guide"),
      line(0, y, whole.width, y, "guide faint"),
      line(0, y + height, whole.width, y + height, "guide faint"),
      label,
    );
    svg.querySelector(".caliper")?.remove();
    svg.append(group);
    this.onMeasure(words);
  }

  reading() {
    const ms = (this.caliper.width / this.scale.speed) * 1000;
    const mv = this.caliper.height / this.scale.gain;
    const rate = ms >= 200 ? `, ${Math.round(60000 / ms)}/min` : "";
    return `${Math.round(ms)} ms, ${mv.toFixed(2)} mV${rate}`;
  }

  makeDraggable() {
    let from = null;
    this.box.addEventListener("pointerdown", (event) => {
      const isTouchPan = event.pointerType !== "mouse" && !this.isMeasuring;
      if (isTouchPan || event.button !== 0) return;
      if (this.isMeasuring) event.preventDefault();
      from = { x: event.clientX, y: event.clientY, left: this.box.scrollLeft, top: this.box.scrollTop };
      this.box.setPointerCapture(event.pointerId);
      this.box.focus({ preventScroll: true });
    });
    this.box.addEventListener("pointermove", (event) => {
      if (!from) return;
      if (this.isMeasuring) {
        this.dragCaliper(from, event);
        return;
      }
      this.box.scrollLeft = from.left - (event.clientX - from.x);
      this.box.scrollTop = from.top - (event.clientY - from.y);
    });
    for (const name of ["pointerup", "pointercancel"]) this.box.addEventListener(name, () => (from = null));
  }

  dragCaliper(from, to) {
    if (!this.svg) return;
    const toMillimetres = this.svg.getScreenCTM().inverse();
    const a = new DOMPoint(from.x, from.y).matrixTransform(toMillimetres);
    const b = new DOMPoint(to.clientX, to.clientY).matrixTransform(toMillimetres);
    this.place({
      x: Math.min(a.x, b.x),
      y: Math.min(a.y, b.y),
      width: Math.abs(a.x - b.x),
      height: Math.abs(a.y - b.y),
    });
  }
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
