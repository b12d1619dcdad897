/** The lessons of docs/lessons, each carried out as its reader does. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { CAN_HOLD_LESSONS, Classroom } from "../lessons/classroom.ts";
import { isShown, parseLesson } from "../lessons/lesson.ts";

const FOLDER = new URL("../../docs/lessons/", import.meta.url);

const LESSONS = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => /^\d/.test(name))
  .sort((one, other) => parseInt(one) - parseInt(other));

Deno.test({
  name: "the lessons do what they say, in sequence in one folder and on the same ports, twice",
  ignore: !CAN_HOLD_LESSONS,
  async fn(test) {
    await using room = await Classroom.open();
    for (const round of ["first", "second"]) {
      for (const file of LESSONS) {
        const isDone = await test.step(`${file}, the ${round} time`, () => carryOut(file, room));
        if (!isDone) return; // The next one would fail of what this one has left.
      }
    }
  },
});

/** Types what a lesson says, looks for what it shows, and sees that nothing of it stays. */
async function carryOut(file: string, room: Classroom): Promise<void> {
  let done = 0;
  for (const step of parseLesson(await Deno.readTextFile(new URL(file, FOLDER)))) {
    try {
      if (await room.perform(step)) done++;
    } catch (error) {
      throw new Error(`${file}, line ${step.line}: ${(error as Error).message}`);
    }
  }
  await room.leave();
  assert(done > 3, "a lesson is more than that");
}

for (const file of LESSONS) {
  const text = await Deno.readTextFile(new URL(file, FOLDER));

  Deno.test(`lesson ${file} has a diagram, a question to discuss and its answer`, () => {
    assert(/^```mermaid\n(flowchart|sequenceDiagram)/m.test(text), "a diagram");
    const headings = [...text.matchAll(/^##? (.+)$/gm)].map(([, heading]) => heading);
    assertEquals(headings.slice(-2), ["To discuss", "An answer"]);
  });
}

Deno.test("there are ten lessons, and the first page lists them all", async () => {
  assertEquals(LESSONS.map((file) => parseInt(file)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const index = await Deno.readTextFile(new URL("README.md", FOLDER));
  for (const file of LESSONS) assert(index.includes(`(${file})`), file);
});

for (const [file, most] of [["7-your-own-client.md", 15], ["8-your-own-broker.md", 40]] as const) {
  Deno.test(`the programs of lesson ${file} have at most ${most} lines`, async () => {
    const steps = parseLesson(await Deno.readTextFile(new URL(file, FOLDER)));
    const programs = steps.filter(({ kind }) => kind === "write");
    assert(programs.length > 2, "one for each language");
    for (const { name, lines } of programs) assert(lines.length <= most, name);
  });
}

Deno.test("parseLesson finds commands, output and files, and the requirements", () => {
  const lesson = [
    "```sh server",
    "mq server",
    "```",
    "",
    "```text server",
    "It … these",
    "```",
    "",
    "```js ignore a.mjs if node",
    "x",
    "```",
    "",
    "```text",
    "free",
    "```",
  ].join("\n");
  assertEquals(parseLesson(lesson), [
    { kind: "type", name: "server", lines: ["mq server"], line: 2, needs: undefined },
    { kind: "expect", name: "server", lines: ["It … these"], line: 6, needs: undefined },
    { kind: "write", name: "a.mjs", lines: ["x"], line: 10, needs: "node" },
  ]);
  assertThrows(() => parseLesson("```sh\nls\n```"), SyntaxError, "line 2: these commands have no terminal");
});

Deno.test("isShown matches … with anything, and everything else literally", () => {
  assertEquals(isShown("… app create { … }", "12:00:00 app create { id: 1 }\t"), true);
  assertEquals(isShown("a.b", "axb"), false);
  assertEquals(isShown("create", "create 1"), false);
});
