/**
 * A handler for `mq on`: of a hundred events, ten fail and one hangs, with a child of its own; most of them only at the
 * first attempt. Its argument is how long the child sleeps. (A module of the old kind: node starts them faster.)
 */
const { readFileSync } = require("node:fs");
const process = require("node:process");

const { id } = JSON.parse(readFileSync(0, "utf8"));
const isFirst = process.env.MQ_ATTEMPT === "1";
if (id % 10 === 3 && (isFirst || id % 50 === 3)) process.exitCode = 1;
if (id % 100 === 50 && (isFirst || id % 200 === 50)) {
  const child = require("node:child_process").spawn("sleep", [process.argv[2]], { stdio: "inherit" });
  console.log(`event ${id} hangs in ${process.pid} and ${child.pid}`);
  setInterval(() => {}, 1000);
}
