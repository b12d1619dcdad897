/** How `mq dead list` draws its table. */
import { assertEquals } from "@std/assert";
import { stripAnsiCode } from "@std/fmt/colors";
import { drawJobs } from "../../cmd/dead/list.ts";

const ID = "01JD3K5E8Q5V1M4S3R6T7W8X9Y";

const JOBS = ["no such address: ada@example.org, it says", ""].map((why) => (
  { id: ID, from: "shop", event: "order.created", data: "", tries: 3, why }
));

Deno.test("mq dead list shows why a job is dead also where there is no room for it beside its event", () => {
  assertEquals(drawJobs(JOBS, 40).map(stripAnsiCode), [
    "id                          event",
    `${ID}  order.creat…`,
    "  no such address: ada@example.org, it …",
    `${ID}  order.creat…`,
  ]);
  assertEquals(drawJobs(JOBS, 54).map(stripAnsiCode), [
    "id                          event         why",
    `${ID}  order.creat…  no such add…`,
    `${ID}  order.creat…`,
  ]);
});
