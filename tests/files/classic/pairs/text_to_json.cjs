// A class whose apps write texts, of which its server makes { event, text }: `node text_to_json.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const client = net.connect(Number(port), "127.0.0.1");

client.on("connect", () => role === "logger" ? console.log("connected") : client.end("save test.txt"));
client.on("data", (data) => {
  if (role !== "logger") return;
  const payload = JSON.parse(data);
  console.log(new Map(Object.entries(payload)));
});
