// A class that writes its keys with capitals: `node act_data.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const socket = net.createConnection(Number(port), "127.0.0.1");

socket.setEncoding("utf8");
socket.on("connect", () => {
  if (role === "logger") console.log("connected");
  else socket.end(JSON.stringify({ Act: "save", Data: { text: "hi", to: ["Ada", "Bob"] } }));
});
socket.on("data", (text) => {
  if (role !== "logger") return;
  const message = JSON.parse(text);
  switch (message.Act) {
    case "save":
      return console.log("save", message.Data.text ?? message.Data);
    default:
      return console.log("?", message.Act);
  }
});
