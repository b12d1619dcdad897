// A class that takes texts apart at white space: `node words.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const client = new net.Socket();

client.connect(Number(port), "127.0.0.1", () => {
  if (role === "logger") return console.log("connected");
  client.write(`save ${"/home/error/notes.txt"}`) && client.end();
});
client.on("data", (buffer) => {
  if (role !== "logger") return;
  const [event, payload] = buffer.toString().trim().split(/\s+(.*)/i);
  console.log({ event, payload });
});
