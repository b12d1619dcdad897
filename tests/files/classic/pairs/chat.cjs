// A chat, whose messages have no name: `node chat.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const socket = net.connect(Number(port), "127.0.0.1");

socket.on("connect", () => {
  if (role === "logger") return console.log("connected");
  socket.write("[Ada]: hello, world");
  setTimeout(() => socket.end("[Ada]: save the whales\r\n"), 50);
});
socket.on("data", (data) => {
  if (role === "logger") process.stdout.write(data);
});
