/**
 * The panel of groups, for a broker with a store: who works in each, and how far it is.
 *
 * @module
 */
import type { GroupReport } from "../lib/protocol/responses.ts";
import { byId, make, setText } from "./dom.ts";
import { describeMembers, FIGURES, sortGroups } from "./groups.ts";

/** One group in the list. */
class Row {
  readonly element: HTMLLIElement;
  readonly #members = make("span", "members");
  readonly #values = FIGURES.map(() => make("dd", ""));

  constructor(name: string) {
    const figures = FIGURES.map(([label], index) => make("div", label, make("dt", "", label), this.#values[index]));
    this.element = make("li", "", make("strong", "", name), this.#members, make("dl", "", ...figures));
  }

  show(group: GroupReport): void {
    setText(this.#members, describeMembers(group.members));
    FIGURES.forEach(([, of], index) => setText(this.#values[index], of(group).toLocaleString("en-US")));
    this.element.classList.toggle("dying", group.dead > 0);
  }
}

/** Shows the groups of a broker. */
export class GroupPanel {
  readonly #list = byId("group-list");
  #rows: ReadonlyMap<string, Row> = new Map();

  /** Removes all groups, and shows the panel if the broker has a store. */
  clear(hasStore: boolean): void {
    byId("groups").hidden = !hasStore;
    this.show([]);
  }

  /** Shows these groups. */
  show(groups: readonly GroupReport[]): void {
    const sorted = sortGroups(groups);
    const rows = new Map(sorted.map(({ group }) => [group, this.#rows.get(group) ?? new Row(group)]));
    for (const group of sorted) rows.get(group.group)!.show(group);
    const isSame = String([...rows.keys()]) === String([...this.#rows.keys()]);
    if (!isSame) this.#list.replaceChildren(...[...rows.values()].map(({ element }) => element));
    this.#rows = rows;
    byId("no-groups").hidden = groups.length > 0;
  }
}
