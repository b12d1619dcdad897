// An app that writes so many objects back to back, without waiting: `node app_burst.cjs PORT COUNT`.
const net = require("node:net");

const socket = net.createConnection(Number(process.argv[2]), "127.0.0.1", () => {
  for (let id = 1; id <= Number(process.argv[3]); id++) {
    socket.write(JSON.stringify({ event: "create", payload: { id, text: 'a } record { was " created' } }));
  }
  socket.end();
});
