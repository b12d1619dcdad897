/**
 * The page: lines from the connection update the model, and the model updates the views.
 *
 * @module
 */
import { clientPages } from "../lib/protocol/client_pages.ts";
import type { BrokerStats, GroupReport, Hello, LogReport } from "../lib/protocol/responses.ts";
import { BrokerConnection, CommandError } from "./broker_connection.ts";
import { Colors, PALETTE } from "./colors.ts";
import { byId, colorClass, make, setText } from "./dom.ts";
import { EventList } from "./event_list.ts";
import { setUpExplainRouting } from "./explain_routing.ts";
import { count, describeFailure, formatRate, groupName } from "./format.ts";
import { GroupPanel } from "./group_panel.ts";
import { describeWork } from "./groups.ts";
import { Legend } from "./legend.ts";
import { type EventLine, Model, type Notice, type Participant, type ShownEvent } from "./model.ts";
import { NoticeLine } from "./notices.ts";
import { Picture } from "./picture.ts";
import { setUpPublish, suggestNames } from "./publish.ts";
import { RateChart } from "./rate_chart.ts";
import { SampleRatio } from "./sample_ratio.ts";
import { StatusOverlay } from "./status_overlay.ts";
import { followTheme } from "./theme.ts";

/** How often `/clients`, `/stats`, `/groups` and `/log` are asked for, and how often if the responses are long. */
const POLL_MS = 1000;
const POLL_MANY_MS = 5000;
const MANY_CONNECTIONS = 500;

const colors = new Colors();
const legend = new Legend();
let model: Model | undefined;
let sampleRatio = new SampleRatio();
let selected: string | undefined;
let isShowScheduled = false;
let lastError = "";

const connection = new BrokerConnection(StatusOverlay.token, { connected, event, disconnected, refused });
const overlay = new StatusOverlay((token) => connection.unlock(token));
const picture = new Picture(colors, select);
const eventList = new EventList(colors, (eventId) => model?.addressOf(eventId));
const groupPanel = new GroupPanel();
const rateChart = new RateChart();
const noticeLine = new NoticeLine((id) => model?.participant(id)?.name);
setUpPublish(connection);
setUpExplainRouting(connection, () => model?.hello.events ?? []);
byId("about-close").onclick = () => select(undefined);
setText(byId("where"), location.host);
followTheme(() => {
  picture.refresh();
  rateChart.refresh();
});
connection.open();

/** The page is connected, perhaps to another broker than before: it starts with nothing. */
function connected(hello: Hello): void {
  model = new Model(hello);
  sampleRatio = new SampleRatio();
  lastError = "";
  picture.clear();
  eventList.clear();
  rateChart.clear();
  groupPanel.clear(hello.store !== undefined);
  select(undefined);
  overlay.show("connected");
  setText(byId("version"), hello.server.replace("mq/", ""));
  legend.clear();
  for (const name of hello.events.filter((name) => !/[*>]/.test(name)).slice(0, PALETTE.length)) addToLegend(name);
  suggestNames(hello.events);
  poll(model);
}

function event(line: EventLine): void {
  const { event, notice, left } = model?.take(line, clock()) ?? {};
  if (event !== undefined) show(event);
  if (notice !== undefined) tell(notice, left);
  if (event === undefined || model?.participant(event.from)?.isDetached) showSoon();
}

function show(event: ShownEvent): void {
  if (event.drop === undefined) sampleRatio.event();
  if (event.name !== "") addToLegend(groupName(event.name));
  eventList.add(event);
  picture.fly(event);
}

/** Shows a notice, unless it is about an observer. */
function tell(notice: Notice, left: Participant | undefined): void {
  if (left !== undefined) {
    if (model?.isObserver(left)) return;
    picture.leave(left, notice.what);
  } else if (notice.id !== "" && model?.participant(notice.id) === undefined) return;
  noticeLine.add(notice);
}

function disconnected(): void {
  clear();
  overlay.show("disconnected", `The connection to the broker is lost; reconnecting. ${lastError}`.trim());
}

function refused({ code, message }: CommandError): void {
  lastError = `The broker's last error: ${message}.`;
  if (code === "unauthorized") {
    clear();
    overlay.show("locked", `${message}.`);
  } else if (code === "forbidden") {
    overlay.show("forbidden", "This token allows publishing only. The form below still works.");
  }
}

function clear(): void {
  model = undefined;
  setText(byId("problem"), "");
  picture.clear();
}

/** Asks for `/clients`, `/stats`, `/groups` and `/log` again and again, until the connection is lost. */
async function poll(polled: Model): Promise<void> {
  while (model === polled) {
    try {
      const [problem] = await Promise.all([
        readLog(polled),
        readClients(polled),
        readStats(polled),
        readGroups(polled),
      ]);
      setText(byId("problem"), problem);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.code === "disconnected") return; // The next connection starts another poll.
      const what = `The broker refused an answer: ${error.message} (${error.code}).`;
      setText(byId("problem"), `${what} What is shown is out of date.`);
    }
    const isLarge = polled.connections.size > MANY_CONNECTIONS;
    await new Promise((resolve) => setTimeout(resolve, isLarge ? POLL_MANY_MS : POLL_MS));
  }
}

/** Returns what is wrong with the store, if there is one. */
async function readLog({ hello }: Model): Promise<string> {
  return hello.store === undefined ? "" : describeFailure(await connection.request("/log") as LogReport);
}

async function readClients(polled: Model): Promise<void> {
  for await (const page of clientPages((command) => connection.request(command))) {
    for (const taken of polled.reconcile(page, clock())) picture.give(taken);
    const { length } = polled.clients;
    setText(byId("connections"), length.toLocaleString("en-US"));
    setText(byId("connections-title"), length === 1 ? "program" : "programs");
    showSoon();
  }
}

async function readStats(polled: Model): Promise<void> {
  const stats = await connection.request("/stats") as BrokerStats;
  polled.stats = stats;
  rateChart.answered(stats, clock());
  sampleRatio.answered(stats.published);
  if (rateChart.published !== undefined) setText(byId("rate"), formatRate(rateChart.published));
  const sample = byId("sample");
  sample.hidden = sampleRatio.text === "";
  setText(sample.querySelector("dd")!, sampleRatio.text);
}

async function readGroups(polled: Model): Promise<void> {
  if (polled.hello.store === undefined) return;
  polled.groups = await connection.request("/groups") as GroupReport[];
  groupPanel.show(polled.groups);
  showSoon();
}

/** Draws the model in the next frame, however often it changes until then. */
function showSoon(): void {
  if (isShowScheduled) return;
  isShowScheduled = true;
  requestAnimationFrame(() => {
    isShowScheduled = false;
    if (!model?.isListed) return;
    picture.show(model);
    describeSelected();
  });
}

/** Selects a participant, whose events alone are listed; none if it was selected before. */
function select(id: string | undefined): void {
  selected = id === selected ? undefined : id;
  picture.mark(selected);
  eventList.narrow(selected);
  describeSelected();
}

function describeSelected(): void {
  byId("about").hidden = selected === undefined;
  if (selected === undefined) return;
  const participant = model?.participant(selected);
  if (participant !== undefined) setText(byId("about-text"), descriptionOf(participant));
}

function descriptionOf(participant: Participant): string {
  const { name, address, published, delivered, classic, isDetached } = participant;
  const sent = `sent ${count(published, "event")}`;
  if (isDetached) {
    const where = address === "" ? "" : ` The last one came from ${address}.`;
    return `Only events from ${name}. It publishes without a connection, and has ${sent}.${where}`;
  }
  const kind = classic === null ? "" : ` It is a classic client, which gets ${classic}.`;
  const work = describeWork(participant, model?.groups ?? [], 10);
  return `Only events from and to ${name}. Its address is ${address}. It ${work}, ` +
    `and has ${sent} and got ${delivered.toLocaleString("en-US")}.${kind}`;
}

function addToLegend(name: string): void {
  if (!legend.add(name, colors.of(name), performance.now())) return;
  byId("legend").replaceChildren(...[...legend].map(([name, color]) => make("li", colorClass(color), name)));
}

/** The time in milliseconds since the Unix epoch, as it would be if nobody had moved the clock since the page was loaded. */
function clock(): number {
  return performance.timeOrigin + performance.now();
}
