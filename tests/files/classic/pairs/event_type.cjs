// A class in which the server sends { eventType, eventMessage }: `node event_type.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const socket = net.connect({ port: Number(port), host: "127.0.0.1" });

class FileEvent {
  constructor(eventType, eventMessage) {
    this.eventType = eventType;
    this.eventMessage = eventMessage;
  }
}

if (role === "logger") {
  socket.on("connect", () => console.log("connected"));
  socket.on("data", (buffer) => {
    const { eventType, eventMessage } = JSON.parse(buffer.toString().trim());
    console.log(`[${eventType}] ${eventMessage}`);
  });
} else {
  socket.end(JSON.stringify(new FileEvent("save", "test.txt was saved")));
}
