// An app that only ever writes, and never looks at what it is sent.
const net = require("node:net");

const socket = net.connect(Number(process.argv[2]), "127.0.0.1", () => console.log("connected"));
socket.on("close", () => console.log("closed"));
setInterval(() => socket.write("update"), 1000);
