import { assertEquals, assertMatch } from "@std/assert";
import { has, Lines, until } from "../helpers.ts";
import { startWeb } from "../http/fixtures.ts";

/** What each command of the README's has to print, or begin with. */
const PRINTED: Record<string, RegExp> = {
  "/pub/create": /^\{"id":"\w{26}","receivers":\d\}\n$/,
  "/stats": /^\{"uptimeMs":.*\}\n$/,
  "/metrics": /^# HELP mq_/,
  "/healthz": /^ok\n$/,
};

Deno.test({
  name: "the README's curl commands do what it says",
  ignore: !has("curl"),
  fn: async () => {
    const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
    const [, section] = /^## Over HTTP$([^]*?)^## /m.exec(readme)!;
    const commands = section.match(/^curl [^#]*(?= #)/gm)!;
    assertEquals(commands.length, Object.keys(PRINTED).length + 1);
    await using test = await startWeb();
    const curl = (command: string) => {
      const args = ["-c", command.replace("localhost:8080", test.host).replace("curl ", "exec curl -s ")];
      return new Deno.Command("sh", { args, stdout: "piped" }).spawn();
    };
    const listening = curl(commands.find((command) => command.includes("/events"))!);
    const reader = listening.stdout.getReader();
    const lines = new Lines(async () => (await reader.read()).value ?? null);
    await until(() => test.server.told("mq.subscribe").length === 1, "it listens");
    for (const command of commands.filter((command) => !command.includes("/events"))) {
      const [, path] = /localhost:8080(\S+)/.exec(command)!;
      const { stdout } = await curl(command).output();
      assertMatch(new TextDecoder().decode(stdout), PRINTED[path]);
    }
    assertEquals(await lines.find("data: "), 'data: {"id":1}');
    listening.kill();
    await listening.status;
    await reader.cancel();
  },
});
