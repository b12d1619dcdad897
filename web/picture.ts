/**
 * The picture: the broker in the middle, a card for each connection, and the dots between them.
 *
 * @module
 */
import { byId, make, setText } from "./dom.ts";
import { Card } from "./card.ts";
import type { Colors } from "./colors.ts";
import { type Layout, layOut, MAX_CARDS, type Path } from "./layout.ts";
import type { Hearer, Model, Program, Seen } from "./model.ts";
import { type Line, Painter } from "./painter.ts";
import { Seats } from "./seats.ts";
import { rem } from "./theme.ts";
import { hearing } from "./words.ts";

/** How long one who has left is still to be seen. */
const GHOST_MS = 1300;
/** The cards of those that have none of their own. */
const REST = "rest";
const WATCHERS = "watchers";

/** Draws a model. */
export class Picture {
  readonly #stage = byId("stage");
  readonly #list = byId("programs");
  readonly #broker = byId("broker");
  readonly #watchers = byId("watchers");
  readonly #painter = new Painter();
  readonly #colors: Colors;
  readonly #select: (id: string) => void;
  readonly #cards = new Map<string, Card>();
  readonly #ghosts = new Map<string, Program>();
  readonly #seats = new Seats();
  #keys = new WeakMap<readonly Hearer[], string[]>();
  #model: Model | undefined;
  #most = 0;
  #selected: string | undefined;

  /** Draws with these colours, and says who is selected. */
  constructor(colors: Colors, select: (id: string) => void) {
    this.#colors = colors;
    this.#select = select;
    new ResizeObserver(() => this.refresh()).observe(this.#stage);
  }

  /** Draws everything anew, in the colours and sizes of now. */
  refresh(): void {
    this.#painter.refresh();
    if (this.#model !== undefined) this.show(this.#model);
  }

  /** Forgets who was there. */
  clear(): void {
    this.#model = undefined;
    for (const card of this.#cards.values()) card.element.remove();
    this.#cards.clear();
    this.#ghosts.clear();
    this.#seats.seat([], 0);
    this.#most = 0;
    this.#painter.clear();
  }

  /** Draws the connections of now. */
  show(model: Model): void {
    this.#model = model;
    const participants = [...model.participants, ...this.#ghosts.values()];
    // The places are not dealt out anew as soon as one has left.
    this.#most = participants.length < this.#most * 0.8
      ? participants.length
      : Math.max(this.#most, participants.length);
    const layout = layOut(this.#stage.clientWidth, this.#stage.clientHeight, rem(), this.#most);
    const lines = this.#seat(model, participants, layout);
    this.#placeBroker(model, layout);
    this.#showWatchers(model, layout);
    lines.set(WATCHERS, { path: upwards(layout), look: "watching" });
    this.#painter.setLines(layout, lines);
    byId("empty").hidden = participants.length > 0;
    this.#keys = new WeakMap();
  }

  /** Lets an event travel. */
  fly({ name, from, hearers, drop }: Seen): void {
    const source = this.#keyOf(from);
    if (source === undefined) return;
    this.#painter.fly({
      name,
      color: this.#colors.of(name),
      from: source,
      to: this.#keysOf(hearers),
      dropped: drop?.why ?? (hearers.length === 0 ? "nobody hears it" : undefined),
    });
  }

  /** Has one who has left fade out. */
  leave(program: Program, text: string): void {
    this.#cards.get(program.id)?.leave(text.slice(program.name.length + 1));
    this.#ghosts.set(program.id, program);
    setTimeout(() => {
      if (this.#ghosts.delete(program.id) && this.#model !== undefined) this.show(this.#model);
    }, GHOST_MS);
  }

  /** Marks one of the cards, or none. */
  mark(id: string | undefined): void {
    this.#selected = id;
    for (const [own, card] of this.#cards) card.mark(own === id);
  }

  #seat(model: Model, participants: readonly Program[], layout: Layout): Map<string, Line> {
    const { size, places } = layout;
    const room = Math.min(MAX_CARDS, places.length);
    const isCrowded = participants.length > room;
    this.#seats.seat(participants.map(({ id }) => id), isCrowded ? room - 1 : room);
    this.#list.dataset.size = size;
    const lines = new Map<string, Line>();
    const gone = new Set(this.#cards.keys());
    const stand = (id: string, place: number) => {
      const card = this.#cards.get(id) ?? this.#add(id);
      card.place(places[place]);
      gone.delete(id);
      lines.set(id, { path: places[place].path, look: card.isBad ? "bad" : "usual" });
    };
    for (const [id, place] of this.#seats) {
      const program = model.programs.get(id);
      if (program !== undefined) this.#card(id).show(program, model.shareOf(program));
      stand(id, place);
    }
    if (isCrowded) {
      this.#card(REST).showRest(participants.length - room + 1);
      stand(REST, room - 1);
    }
    for (const id of gone) this.#remove(id);
    return lines;
  }

  #card(id: string): Card {
    return this.#cards.get(id) ?? this.#add(id);
  }

  #add(id: string): Card {
    const card = new Card(id, () => this.#select(id));
    card.mark(id === this.#selected);
    this.#cards.set(id, card);
    this.#list.append(card.element);
    return card;
  }

  #remove(id: string): void {
    this.#cards.get(id)?.element.remove();
    this.#cards.delete(id);
  }

  #placeBroker({ hello }: Model, { broker }: Layout): void {
    const { style } = this.#broker;
    style.width = `${broker.width}px`;
    style.height = `${broker.height}px`;
    style.transform = `translate(${broker.x - broker.width / 2}px, ${broker.y - broker.height / 2}px)`;
    setText(byId("broker-address"), location.hostname);
    setText(byId("recognizes"), `recognizes ${hearing(hello.events, 5)}`);
  }

  #showWatchers({ watchers, hello }: Model, { watchers: { y } }: Layout): void {
    this.#watchers.style.top = `${y}px`;
    const others = watchers.filter(({ id }) => id !== hello.id);
    const names = ["this page"];
    if (others.length === 1) names.push(`${others[0].name} watches, too`);
    if (others.length > 1) names.push(`${others.length} others watch, too`);
    if (names.join() === [...this.#watchers.children].map(({ textContent }) => textContent).join()) return;
    this.#watchers.replaceChildren(...names.map((name) => make("li", "", name)));
  }

  #keyOf(id: string): string | undefined {
    if (this.#cards.has(id)) return id;
    const program = this.#model?.programs.get(id);
    if (program === undefined) return undefined;
    return this.#model!.watches(program) ? WATCHERS : REST;
  }

  #keysOf(hearers: readonly Hearer[]): string[] {
    let keys = this.#keys.get(hearers);
    if (keys === undefined) {
      keys = [...new Set(hearers.map(({ id }) => this.#cards.has(id) ? id : REST))];
      this.#keys.set(hearers, keys);
    }
    return keys;
  }
}

/** The line of those who watch, from below. */
function upwards({ watchers: { x, y }, broker }: Layout): Path {
  const endY = broker.y + broker.height / 2;
  return { startX: x, lead: 0, curve: [x, y, x, y, x, endY, x, endY] };
}
