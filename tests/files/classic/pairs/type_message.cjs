// A class whose objects have a type and a message: `node type_message.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);

const client = new net.Socket();
client.connect(Number(port), "127.0.0.1", () => {
  if (role === "logger") return console.log("connected");
  client.write(JSON.stringify({ type: "save", message: "files/test.txt" }));
  setTimeout(() => client.end(JSON.stringify({ type: "error", message: "ENOENT: no such file" })), 50);
});
client.on("data", (data) => {
  if (role !== "logger") return;
  const { type, message } = JSON.parse(data);
  if (type === "error") console.log(`ERROR ${message}`);
  else console.log(`${type}: ${message}`);
});
