// A class that writes the arguments of emit: `node emit_array.cjs PORT logger`, or app.
const net = require("node:net");
const { EventEmitter } = require("node:events");
const [port, role] = process.argv.slice(2);
const socket = net.connect(Number(port), "127.0.0.1");
const emit = (...args) => socket.write(JSON.stringify(args));

if (role === "logger") {
  const events = new EventEmitter();
  events.on("save", (file, size) => console.log(`saved ${file} (${size} bytes)`));
  socket.on("connect", () => console.log("connected"));
  socket.on("data", (data) => events.emit(...JSON.parse(data)));
} else {
  socket.on("connect", () => {
    emit("save", "test.txt", 42);
    socket.end();
  });
}
