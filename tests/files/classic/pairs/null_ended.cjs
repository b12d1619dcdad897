// A class whose messages end in a null character: `node null_ended.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const socket = net.connect(Number(port), "127.0.0.1");

socket.on("connect", () => {
  if (role === "logger") return console.log("connected");
  for (const body of ["one", "two", "three"]) socket.write(JSON.stringify({ action: "save", body }) + "\0");
  socket.end();
});
socket.on("data", (data) => {
  if (role === "logger") console.log(JSON.parse(data).body);
});
