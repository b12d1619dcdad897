/**
 * The canvas of the picture: the lines between the cards and the broker, and the dots on them.
 *
 * @module
 */
import { type Flight, Flights } from "./flights.ts";
import { type Layout, type Path, pointOn } from "./layout.ts";
import { byId } from "./dom.ts";
import { type Ink, isStill, readInk, rem } from "./theme.ts";

/** Up to so many dots have their names beside them. */
const MAX_LABELLED = 10;
/** How long a line stays lit where nothing may travel; it takes another colour no sooner. */
const LIT_MS = 700;
const TELL_MS = 250;
const MAX_CHARACTERS = 20;
const RAYS = 8;

/** What is drawn of a card's line. */
export interface Line {
  readonly path: Path;
  /** It only watches, is in trouble, or neither. */
  readonly look: "watching" | "bad" | "usual";
}

/** Draws the picture's canvas, as long as something moves. */
export class Painter {
  readonly #canvas = byId<HTMLCanvasElement>("lines");
  readonly #context = this.#canvas.getContext("2d")!;
  readonly #flights = new Flights();
  readonly #lit = new Map<string, { color: number; until: number }>();
  readonly #point = { x: 0, y: 0 };
  readonly #labels: { x: number; y: number; half: number }[] = [];
  #ink: Ink = readInk();
  #rem = rem();
  #layout: Layout | undefined;
  #lines: ReadonlyMap<string, Line> = new Map();
  #width = 0; // To ask for them at each frame would have the page laid out.
  #height = 0;
  #isDrawing = false;
  #started = 0;
  #toldAt = 0;

  /** Takes the colours and sizes of now, and draws everything anew. */
  refresh(): void {
    this.#ink = readInk();
    this.#rem = rem();
    const ratio = devicePixelRatio;
    this.#width = this.#canvas.clientWidth;
    this.#height = this.#canvas.clientHeight;
    this.#canvas.width = Math.round(this.#width * ratio);
    this.#canvas.height = Math.round(this.#height * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.draw();
  }

  /** Draws these lines from now on. */
  setLines(layout: Layout, lines: ReadonlyMap<string, Line>): void {
    this.#layout = layout;
    this.#lines = lines;
    this.draw();
  }

  /** Sends an event on its way. */
  fly(flight: Flight): void {
    if (document.hidden || this.#layout === undefined) return;
    const now = performance.now();
    if (isStill()) this.#light(flight, now);
    else if (!this.#flights.start(flight, now)) return;
    this.#started++;
    this.draw();
  }

  /** Lets go of all that moves. */
  clear(): void {
    this.#flights.clear();
    this.#lit.clear();
    this.draw();
  }

  /** Draws with the next frame. */
  draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame((now) => {
      this.#isDrawing = false;
      this.#paint(now);
      this.#tell(now);
      if (!this.#flights.isStill) this.draw();
    });
  }

  /** Nothing travels: a line takes the colour of what goes over it, and keeps it for a while. */
  #light(flight: Flight, now: number): void {
    const { from, to, color, dropped } = flight;
    for (const card of [from, ...dropped === undefined ? to : []]) {
      const lit = this.#lit.get(card);
      if (lit === undefined) this.#lit.set(card, { color, until: now + LIT_MS });
      else lit.until = now + LIT_MS;
    }
    if (dropped !== undefined) this.#flights.end(flight, now);
    setTimeout(() => this.draw(), LIT_MS + 50);
  }

  #paint(now: number): void {
    this.#context.clearRect(0, 0, this.#width, this.#height);
    for (const [card, { until }] of this.#lit) if (now > until) this.#lit.delete(card);
    for (const [card, { path, look }] of this.#lines) this.#paintLine(path, look, this.#lit.get(card)?.color);
    this.#labels.length = 0;
    const hasLabels = this.#flights.dots <= MAX_LABELLED && this.#layout?.isNarrow === false;
    this.#flights.see(now, (flight, card, way, isOutward) => this.#paintDot(flight, card, way, isOutward, hasLabels));
    this.#flights.seeGraves(now, (flight, age, place) => this.#paintGrave(flight, age, place));
  }

  #paintLine({ startX, curve }: Path, look: Line["look"], lit: number | undefined): void {
    const context = this.#context;
    const [x0, y0, x1, y1, x2, y2, x3, y3] = curve;
    context.strokeStyle = lit !== undefined ? this.#ink.events[lit] : look === "bad" ? this.#ink.bad : this.#ink.line;
    context.lineWidth = (lit !== undefined || look === "bad" ? 0.22 : 0.12) * this.#rem;
    context.setLineDash(look === "watching" ? [this.#rem * 0.2, this.#rem * 0.4] : []);
    context.beginPath();
    context.moveTo(startX, y0);
    context.lineTo(x0, y0);
    context.bezierCurveTo(x1, y1, x2, y2, x3, y3);
    context.stroke();
    context.setLineDash([]);
  }

  #paintDot({ name, color }: Flight, card: string, way: number, isOutward: boolean, hasLabel: boolean): void {
    const line = this.#lines.get(card);
    if (line === undefined) return;
    const [context, point] = [this.#context, this.#point];
    pointOn(line.path, way, point);
    context.fillStyle = this.#ink.events[color];
    context.beginPath();
    context.arc(point.x, point.y, (isOutward ? 0.36 : 0.46) * this.#rem, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = this.#ink.ground;
    context.lineWidth = 1.5;
    context.stroke();
    if (hasLabel) this.#label(name, color, line.path);
  }

  /** Writes an event's name above its dot, between the card and the broker, if there is room for it and no other is there. */
  #label(name: string, color: number, { curve: [cardX, , , , , , brokerX] }: Path): void {
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
    this.#write(name, middle, y - 0.95 * this.#rem, this.#ink.events[color]);
  }

  /** An event that nobody gets falls out of the broker. */
  #paintGrave(flight: Flight, age: number, place: number): void {
    const { name, dropped } = flight;
    if (this.#layout === undefined || (place > 0 && this.#layout.isNarrow)) return;
    const { x, y, height } = this.#layout.broker;
    const context = this.#context;
    const fall = isStill() ? 1 : Math.min(1, age * 6);
    const deathY = y + height / 2 + (0.3 + fall * 0.9 + place * 1.5) * this.#rem;
    context.globalAlpha = isStill() ? 1 : Math.min(1, (1 - age) * 4);
    this.#write(`✕ ${shortened(name)}: ${dropped}`, x, deathY, this.#ink.bad);
    context.globalAlpha = 1;
    if (!isStill()) this.#burst(flight, Math.min(1, age * 4));
  }

  /** The dot flies to pieces where it meets the broker, and turns grey. */
  #burst({ from, color }: Flight, age: number): void {
    const [x, y] = this.#lines.get(from)?.path.curve.slice(6) ?? [];
    if (age === 1 || x === undefined || y === undefined) return;
    const context = this.#context;
    context.strokeStyle = age < 0.5 ? this.#ink.events[color] : this.#ink.muted;
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
    context.strokeStyle = this.#ink.ground;
    context.strokeText(text, x, y);
    context.fillStyle = color;
    context.fillText(text, x, y);
  }

  #setFont(): void {
    this.#context.font = `600 ${0.85 * this.#rem}px ${this.#ink.font}`;
  }

  /** Tells those who cannot see a canvas how much moves. */
  #tell(now: number): void {
    if (now - this.#toldAt < TELL_MS && !this.#flights.isStill) return;
    this.#toldAt = now;
    this.#canvas.dataset.flights = String(this.#flights.dots);
    this.#canvas.dataset.flown = String(this.#started);
  }
}

function shortened(text: string): string {
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
}
