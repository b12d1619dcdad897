// An app that writes one message and exits at once: `node app_once.cjs PORT MESSAGE`.
const net = require("node:net");

const socket = net.connect(Number(process.argv[2]), "127.0.0.1", () => {
  socket.write(process.argv[3], () => process.exit());
});
