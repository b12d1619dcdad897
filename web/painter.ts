/**
 * Draws the canvas of the picture: the lines between the cards and the broker, and the dots on them.
 *
 * @module
 */
import { byId } from "./dom.ts";
import { type Flight, Flights } from "./flights.ts";
import { type Layout, type Path, pointOn } from "./layout.ts";
import { isMotionReduced, readTheme, rem, type Theme } from "./theme.ts";

/** Dots have labels up to this number of dots. */
const MAX_LABELLED_DOTS = 10;
/** With reduced motion: how long a line keeps the colour of an event. */
const HIGHLIGHT_MS = 700;
/** How often the canvas's data attributes are updated. */
const ATTRIBUTES_MS = 250;
const MAX_NAME_CHARACTERS = 20;
/** The number of rays where a dropped event bursts. */
const RAYS = 8;

/** The line of a card. */
export interface Line {
  readonly path: Path;
  readonly style: "observer" | "slow" | "normal";
}

/** Draws the canvas, in every frame as long as something moves. */
export class Painter {
  readonly #canvas = byId<HTMLCanvasElement>("lines");
  readonly #context = this.#canvas.getContext("2d")!;
  readonly #flights = new Flights();
  readonly #highlights = new Map<string, { color: number; until: number }>();
  readonly #point = { x: 0, y: 0 };
  readonly #labels: { x: number; y: number; half: number }[] = [];
  #theme: Theme = readTheme();
  #rem = rem();
  #layout: Layout | undefined;
  #lines: ReadonlyMap<string, Line> = new Map();
  #width = 0; // Reading the size in each frame would force a layout of the page.
  #height = 0;
  #isScheduled = false;
  #started = 0;
  #attributesAt = 0;

  /** Reads the current colours and sizes, and draws everything anew. */
  refresh(): void {
    this.#theme = readTheme();
    this.#rem = rem();
    const ratio = devicePixelRatio;
    this.#width = this.#canvas.clientWidth;
    this.#height = this.#canvas.clientHeight;
    this.#canvas.width = Math.round(this.#width * ratio);
    this.#canvas.height = Math.round(this.#height * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.schedule();
  }

  /** Sets the lines to draw, by the keys of their cards. */
  setLines(layout: Layout, lines: ReadonlyMap<string, Line>): void {
    this.#layout = layout;
    this.#lines = lines;
    this.schedule();
  }

  /** Shows an event on its way. */
  fly(flight: Flight): void {
    if (document.hidden || this.#layout === undefined) return;
    const now = performance.now();
    if (isMotionReduced()) this.#highlight(flight, now);
    else if (!this.#flights.start(flight, now)) return;
    this.#started++;
    this.schedule();
  }

  /** Removes all dots, labels and highlights. */
  clear(): void {
    this.#flights.clear();
    this.#highlights.clear();
    this.schedule();
  }

  /** Draws in the next frame. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame((now) => {
      this.#isScheduled = false;
      this.#paint(now);
      this.#updateAttributes(now);
      if (!this.#flights.isEmpty) this.schedule();
    });
  }

  /** With reduced motion, the lines of an event take its colour for a while. */
  #highlight(flight: Flight, now: number): void {
    const { from, to, color, dropped } = flight;
    for (const card of [...from === undefined ? [] : [from], ...dropped === undefined ? to : []]) {
      const highlight = this.#highlights.get(card);
      if (highlight === undefined) this.#highlights.set(card, { color, until: now + HIGHLIGHT_MS });
      else highlight.until = now + HIGHLIGHT_MS;
    }
    if (dropped !== undefined) this.#flights.showDropLabel(flight, now);
    setTimeout(() => this.schedule(), HIGHLIGHT_MS + 50);
  }

  #paint(now: number): void {
    this.#context.clearRect(0, 0, this.#width, this.#height);
    for (const [card, { until }] of this.#highlights) if (now > until) this.#highlights.delete(card);
    for (const [card, line] of this.#lines) this.#paintLine(line, this.#highlights.get(card)?.color);
    this.#labels.length = 0;
    const hasLabels = this.#flights.dots <= MAX_LABELLED_DOTS && this.#layout?.isNarrow === false;
    this.#flights.visitDots(now, (flight, card, progress, isOutward) => {
      this.#paintDot(flight, card, progress, isOutward, hasLabels);
    });
    this.#flights.visitDropLabels(now, (flight, age, index) => this.#paintDrop(flight, age, index));
  }

  #paintLine({ path: { startX, curve }, style }: Line, highlight: number | undefined): void {
    const context = this.#context;
    const [x0, y0, x1, y1, x2, y2, x3, y3] = curve;
    const isSlow = style === "slow";
    const color = isSlow ? this.#theme.bad : this.#theme.line;
    context.strokeStyle = highlight === undefined ? color : this.#theme.events[highlight];
    context.lineWidth = (highlight !== undefined || isSlow ? 0.22 : 0.12) * this.#rem;
    context.setLineDash(style === "observer" ? [this.#rem * 0.2, this.#rem * 0.4] : []);
    context.beginPath();
    context.moveTo(startX, y0);
    context.lineTo(x0, y0);
    context.bezierCurveTo(x1, y1, x2, y2, x3, y3);
    context.stroke();
    context.setLineDash([]);
  }

  #paintDot({ name, color }: Flight, card: string, progress: number, isOutward: boolean, hasLabel: boolean): void {
    const line = this.#lines.get(card);
    if (line === undefined) return;
    const [context, point] = [this.#context, this.#point];
    pointOn(line.path, progress, point);
    context.fillStyle = this.#theme.events[color];
    context.beginPath();
    context.arc(point.x, point.y, (isOutward ? 0.36 : 0.46) * this.#rem, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = this.#theme.background;
    context.lineWidth = 1.5;
    context.stroke();
    if (hasLabel) this.#paintLabel(name, color, line.path);
  }

  /** Writes an event's name above its dot, if it fits between the card and the broker and covers no other label. */
  #paintLabel(name: string, color: number, { curve: [cardX, , , , , , brokerX] }: Path): void {
    const { x, y } = this.#point;
    this.#setFont();
    const half = this.#context.measureText(name).width / 2 + 0.2 * this.#rem;
    const [left, right] = [Math.min(cardX, brokerX) + half, Math.max(cardX, brokerX) - half];
    if (left > right) return;
    const middle = Math.max(left, Math.min(right, x));
    const isCovering = this.#labels.some((label) =>
      Math.abs(label.y - y) < this.#rem && Math.abs(label.x - middle) < label.half + half
    );
    if (isCovering) return;
    this.#labels.push({ x: middle, y, half });
    this.#write(name, middle, y - 0.95 * this.#rem, this.#theme.events[color]);
  }

  /** Writes the name of a dropped event and the reason below the broker, moving down as it appears. */
  #paintDrop(flight: Flight, age: number, index: number): void {
    const { name, dropped } = flight;
    if (this.#layout === undefined || (index > 0 && this.#layout.isNarrow)) return;
    const { x, y, height } = this.#layout.broker;
    const context = this.#context;
    const isStill = isMotionReduced();
    const fall = isStill ? 1 : Math.min(1, age * 6);
    const labelY = y + height / 2 + (0.3 + fall * 0.9 + index * 1.5) * this.#rem;
    context.globalAlpha = isStill ? 1 : Math.min(1, (1 - age) * 4);
    this.#write(`✕ ${shortened(name)}: ${dropped}`, x, labelY, this.#theme.bad);
    context.globalAlpha = 1;
    if (!isStill) this.#paintBurst(flight, Math.min(1, age * 4));
  }

  /** Draws rays where the dot of a dropped event meets the broker. */
  #paintBurst({ from, color }: Flight, age: number): void {
    const [x, y] = this.#lines.get(from ?? "")?.path.curve.slice(6) ?? [];
    if (age === 1 || x === undefined || y === undefined) return;
    const context = this.#context;
    context.strokeStyle = age < 0.5 ? this.#theme.events[color] : this.#theme.muted;
    context.lineWidth = 0.18 * this.#rem * (1 - age);
    context.beginPath();
    for (let ray = 0; ray < RAYS; ray++) {
      const [dx, dy] = [Math.cos(ray * 2 * Math.PI / RAYS), Math.sin(ray * 2 * Math.PI / RAYS)];
      const [start, end] = [(0.3 + age * 0.7) * this.#rem, (0.5 + age * 1.1) * this.#rem];
      context.moveTo(x + dx * start, y + dy * start);
      context.lineTo(x + dx * end, y + dy * end);
    }
    context.stroke();
  }

  #write(text: string, x: number, y: number, color: string): void {
    const context = this.#context;
    this.#setFont();
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 0.3 * this.#rem;
    context.lineJoin = "round";
    context.strokeStyle = this.#theme.background;
    context.strokeText(text, x, y);
    context.fillStyle = color;
    context.fillText(text, x, y);
  }

  #setFont(): void {
    this.#context.font = `600 ${0.85 * this.#rem}px ${this.#theme.font}`;
  }

  /** Sets the numbers of dots, now and so far, as data attributes: tests cannot see the canvas. */
  #updateAttributes(now: number): void {
    if (now - this.#attributesAt < ATTRIBUTES_MS && !this.#flights.isEmpty) return;
    this.#attributesAt = now;
    this.#canvas.dataset.flights = String(this.#flights.dots);
    this.#canvas.dataset.flown = String(this.#started);
  }
}

function shortened(name: string): string {
  return name.length > MAX_NAME_CHARACTERS ? `${name.slice(0, MAX_NAME_CHARACTERS - 1)}…` : name;
}
