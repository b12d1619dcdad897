/**
 * The page: what comes over the link goes into the model, and what the model says of it into the views.
 *
 * @module
 */
import type { BrokerStats, ClientInfo, Hello } from "../lib/protocol/responses.ts";
import { Colors, PALETTE } from "./colors.ts";
import { Curtain } from "./curtain.ts";
import { byId, colorClass, make, setText } from "./dom.ts";
import { Legend } from "./legend.ts";
import { Link, Refusal } from "./link.ts";
import { type Happening, Model } from "./model.ts";
import { News } from "./news.ts";
import { Picture } from "./picture.ts";
import { offerNames, setUpPublish } from "./publish.ts";
import { RatesView } from "./rates.ts";
import { Shown } from "./shown.ts";
import { Stream } from "./stream.ts";
import { followTheme } from "./theme.ts";
import { setUpWhy } from "./why.ts";
import { count, formatRate, hearing } from "./words.ts";

/** How often the broker is asked, and how often where its answers are long. */
const ASK_MS = 1000;
const ASK_MANY_MS = 5000;
const MANY = 500;

const colors = new Colors();
const legend = new Legend();
let model: Model | undefined;
let shown = new Shown();
let selected: string | undefined;
let isDirty = false;
let complaint = "";

const link = new Link(Curtain.token, { found, event, gone, refused });
const curtain = new Curtain((token) => link.unlock(token));
const picture = new Picture(colors, select);
const stream = new Stream(colors);
const rates = new RatesView();
const news = new News((id) => model?.participant(id)?.name);
setUpPublish(link);
setUpWhy(link, () => model?.hello.events ?? []);
byId("about-close").onclick = () => select(undefined);
setText(byId("where"), location.host);
followTheme(() => {
  picture.refresh();
  rates.refresh();
});
link.open();

/** A broker has let the page in: all that was known is of another time. */
function found(hello: Hello): void {
  model = new Model(hello);
  shown = new Shown();
  complaint = "";
  picture.clear();
  stream.clear();
  rates.clear();
  select(undefined);
  curtain.show("connected");
  setText(byId("version"), hello.server.replace("mq/", ""));
  legend.clear();
  for (const name of hello.events.filter((name) => !/[*>]/.test(name)).slice(0, PALETTE.length)) nameColor(name);
  offerNames(hello.events);
  keepAsking(model);
}

function event({ id = "", from = "", name, text }: { id?: string; from?: string; name: string; text: string }): void {
  const happening = model?.take(id, from, name, text);
  if (happening !== undefined) happened(happening);
}

function happened(happening: Happening): void {
  if (happening.kind !== "event") {
    tell(happening);
    return showSoon();
  }
  const { seen } = happening;
  if (seen.drop === undefined) shown.event();
  nameColor(seen.name);
  stream.add(seen);
  picture.fly(seen);
}

/** Tells of a connection, but for those that only watch. */
function tell(happening: Exclude<Happening, { kind: "event" }>): void {
  if (happening.kind === "left") {
    if (model?.watches(happening.program)) return;
    picture.leave(happening.program, happening.text);
  } else if (happening.id !== "" && model?.participant(happening.id) === undefined) return;
  news.add(happening);
}

function gone(): void {
  forget();
  curtain.show("gone", `The broker is gone; looking for it. ${complaint}`);
}

function refused({ code, message }: Refusal): void {
  complaint = `It said: ${message}.`;
  if (code === "unauthorized") forget();
  if (code === "unauthorized") return curtain.show("locked", `${message}.`);
  if (code !== "forbidden") return;
  curtain.show("refused", "This token is for publishing only: it may not watch. The form below works.");
}

/** Nobody knows any more who is there. */
function forget(): void {
  model = undefined;
  picture.clear();
}

/** Asks the broker again and again, as long as it is this one. */
async function keepAsking(asking: Model): Promise<void> {
  while (model === asking) {
    try {
      const [clients, stats] = await Promise.all([link.ask("/clients"), link.ask("/stats")]);
      answered(asking, clients as ClientInfo[], stats as BrokerStats);
    } catch (error) {
      if (error instanceof Refusal) return; // The broker is gone, and the next one is asked anew.
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, asking.programs.size > MANY ? ASK_MANY_MS : ASK_MS));
  }
}

function answered(asking: Model, clients: readonly ClientInfo[], stats: BrokerStats): void {
  asking.reconcile(clients);
  asking.stats = stats;
  rates.answered(stats, Date.now());
  shown.answered(stats.published);
  setText(byId("connections"), asking.participants.length.toLocaleString("en-US"));
  if (rates.published !== undefined) setText(byId("rate"), formatRate(rates.published));
  const place = byId("shown");
  place.hidden = shown.text === "";
  setText(place.querySelector("dd")!, shown.text);
  showSoon();
}

/** Draws the model with the next frame, however much has happened until then. */
function showSoon(): void {
  if (isDirty) return;
  isDirty = true;
  requestAnimationFrame(() => {
    isDirty = false;
    if (model === undefined) return;
    picture.show(model);
    describeSelected();
  });
}

function select(id: string | undefined): void {
  selected = id === selected ? undefined : id;
  picture.mark(selected);
  stream.narrow(selected);
  describeSelected();
}

function describeSelected(): void {
  byId("about").hidden = selected === undefined;
  if (selected === undefined) return;
  const program = model?.programs.get(selected);
  if (program === undefined) return;
  const { name, address, patterns, published, delivered, classic } = program;
  const kind = classic === null ? "" : ` It is a classic client, which gets ${classic}.`;
  const counts = `It has sent ${count(published, "event")} and heard ${delivered.toLocaleString("en-US")}.`;
  setText(
    byId("about-text"),
    `Only what ${name} sends and hears. From ${address}, it hears ${hearing(patterns, 20)}. ${counts}${kind}`,
  );
}

/** Names a colour in the legend. */
function nameColor(name: string): void {
  if (!legend.saw(name, colors.of(name), performance.now())) return;
  byId("legend").replaceChildren(...[...legend].map(([name, color]) => make("li", colorClass(color), name)));
}
