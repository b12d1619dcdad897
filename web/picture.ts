/**
 * The picture: the broker in the middle, a card for each participant, and the dots between them.
 *
 * @module
 */
import { Card } from "./card.ts";
import type { Colors } from "./colors.ts";
import { byId, make, setText } from "./dom.ts";
import { count, describePatterns, groupName } from "./format.ts";
import { describeWork } from "./groups.ts";
import { type Layout, layOut, MAX_CARDS, type Path } from "./layout.ts";
import type { Model, Participant, ShownEvent, Subscriber, TakenJobs } from "./model.ts";
import { type Line, Painter } from "./painter.ts";
import { SlotAllocator } from "./slot_allocator.ts";
import { rem } from "./theme.ts";

/** How long the card of a participant that has left fades out. */
const FADE_MS = 1300;
/** The layout is made for fewer cards only when less than this share of them is left. */
const SHRINK_SHARE = 0.8;
/** The keys of the card for all participants without one, and of the line of the observers. */
const MORE = "more";
const OBSERVERS = "observers";

/** Draws a model. */
export class Picture {
  readonly #stage = byId("stage");
  readonly #list = byId("programs");
  readonly #broker = byId("broker");
  readonly #observers = byId("observers");
  readonly #painter = new Painter();
  readonly #colors: Colors;
  readonly #onSelect: (id: string) => void;
  readonly #cards = new Map<string, Card>();
  /** The participants that have left, while their cards fade out. */
  readonly #leaving = new Map<string, Participant>();
  readonly #slots = new SlotAllocator();
  /** The cards of subscribers, by the list of them that the model caches. */
  #keys = new WeakMap<readonly Subscriber[], string[]>();
  #model: Model | undefined;
  #cardCount = 0;
  #selected: string | undefined;

  /** Makes an empty picture, which calls a function with the id of a participant whose card is pressed. */
  constructor(colors: Colors, onSelect: (id: string) => void) {
    this.#colors = colors;
    this.#onSelect = onSelect;
    new ResizeObserver(() => this.refresh()).observe(this.#stage);
  }

  /** Draws everything anew in the current colours and sizes. */
  refresh(): void {
    this.#painter.refresh();
    if (this.#model !== undefined) this.show(this.#model);
  }

  /** Removes all participants. */
  clear(): void {
    this.#model = undefined;
    for (const card of this.#cards.values()) card.element.remove();
    this.#cards.clear();
    this.#leaving.clear();
    this.#slots.assign([], 0);
    this.#cardCount = 0;
    this.#painter.clear();
  }

  /** Draws the current participants of a model. */
  show(model: Model): void {
    this.#model = model;
    const participants = [...model.participants, ...this.#leaving.values()];
    const { length } = participants;
    this.#cardCount = length < this.#cardCount * SHRINK_SHARE ? length : Math.max(this.#cardCount, length);
    const layout = layOut(this.#stage.clientWidth, this.#stage.clientHeight, rem(), this.#cardCount);
    const lines = this.#placeCards(model, participants, layout);
    this.#placeBroker(model, layout);
    this.#showObservers(model, layout);
    lines.set(OBSERVERS, { path: observersPath(layout), style: "observer" });
    this.#painter.setLines(layout, lines);
    byId("empty").hidden = length > 0;
    this.#keys = new WeakMap();
  }

  /** Shows an event on its way. */
  fly({ name, from, subscribers, isStored, drop }: ShownEvent): void {
    const source = this.#keyOf(from);
    if (source === undefined) return;
    const label = groupName(name);
    this.#painter.fly({
      name: label,
      color: this.#colors.of(label),
      from: source,
      to: this.#keysOf(subscribers),
      dropped: drop?.why ?? (subscribers.length === 0 && !isStored ? "no subscribers" : undefined),
    });
  }

  /** Shows the jobs that a member of a group got, on their way from the broker, in the colour of the group's first pattern. */
  give({ to, jobs, pattern }: TakenJobs): void {
    const card = this.#keyOf(to);
    if (card !== undefined) {
      this.#painter.fly({ name: count(jobs, "job"), color: this.#colors.of(pattern), to: [card] });
    }
  }

  /** Fades out the card of a participant that has left. */
  leave(participant: Participant, reason: string): void {
    this.#cards.get(participant.id)?.leave(reason);
    this.#leaving.set(participant.id, participant);
    setTimeout(() => {
      if (this.#leaving.delete(participant.id) && this.#model !== undefined) this.show(this.#model);
    }, FADE_MS);
  }

  /** Marks the card of the selected participant; of none with undefined. */
  mark(id: string | undefined): void {
    this.#selected = id;
    for (const [own, card] of this.#cards) card.mark(own === id);
  }

  #placeCards(model: Model, participants: readonly Participant[], { size, places }: Layout): Map<string, Line> {
    const room = Math.min(MAX_CARDS, places.length);
    const isCrowded = participants.length > room;
    this.#slots.assign(participants.map(({ id }) => id), isCrowded ? room - 1 : room);
    this.#list.dataset.size = size;
    const lines = new Map<string, Line>();
    const unused = new Set(this.#cards.keys());
    const place = (id: string, slot: number) => {
      const card = this.#card(id);
      card.place(places[slot]);
      unused.delete(id);
      lines.set(id, { path: places[slot].path, style: card.isSlow ? "slow" : "normal" });
    };
    for (const [id, slot] of this.#slots) {
      const participant = model.participant(id);
      if (participant !== undefined) this.#showCard(model, participant);
      place(id, slot);
    }
    if (isCrowded) {
      this.#card(MORE).showMore(participants.length - room + 1);
      place(MORE, room - 1);
    }
    for (const id of unused) this.#remove(id);
    return lines;
  }

  #showCard(model: Model, participant: Participant): void {
    const work = describeWork(participant, model.groups);
    this.#card(participant.id).show(participant, work, model.queueShareOf(participant));
  }

  #card(id: string): Card {
    return this.#cards.get(id) ?? this.#add(id);
  }

  #add(id: string): Card {
    const card = new Card(id, () => this.#onSelect(id));
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
    setText(byId("recognizes"), `recognizes ${describePatterns(hello.events, 5)}`);
  }

  #showObservers({ observers, hello }: Model, { observers: { y } }: Layout): void {
    this.#observers.style.top = `${y}px`;
    const others = observers.filter(({ id }) => id !== hello.id);
    const names = ["this page"];
    if (others.length === 1) names.push(`another observer: ${others[0].name}`);
    if (others.length > 1) names.push(`${others.length} other observers`);
    if (names.join() === [...this.#observers.children].map(({ textContent }) => textContent).join()) return;
    this.#observers.replaceChildren(...names.map((name) => make("li", "", name)));
  }

  /** The key of the card or line of a publisher; undefined if it has left. */
  #keyOf(id: string): string | undefined {
    if (this.#cards.has(id)) return id;
    if (this.#model?.participant(id) !== undefined) return MORE;
    return this.#model?.connections.has(id) ? OBSERVERS : undefined;
  }

  #keysOf(subscribers: readonly Subscriber[]): string[] {
    let keys = this.#keys.get(subscribers);
    if (keys === undefined) {
      keys = [...new Set(subscribers.map(({ id }) => this.#cards.has(id) ? id : MORE))];
      this.#keys.set(subscribers, keys);
    }
    return keys;
  }
}

/** The line from the observers, below the broker, up to it. */
function observersPath({ observers: { x, y }, broker }: Layout): Path {
  const endY = broker.y + broker.height / 2;
  return { startX: x, lead: 0, curve: [x, y, x, y, x, endY, x, endY] };
}
