// A class that takes texts apart at a colon: `node colon.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const client = net.connect(Number(port), "127.0.0.1", () => {
  if (role === "logger") console.log("connected");
  else client.end("save:test.txt");
});
client.on("data", (data) => {
  if (role !== "logger") return;
  const [event, file] = data.toString().trim().split(":");
  console.log(`${event.toUpperCase()} <${file}>`);
});
