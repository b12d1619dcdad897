// A logger of the class: takes each chunk for one message, and breaks where it is not.
const net = require("node:net");

const client = net.connect(Number(process.argv[2]), "127.0.0.1");
client.on("connect", () => console.log("connected"));
client.on("data", (data) => {
  const { event, payload } = JSON.parse(data.toString());
  console.log(`${event}: ${typeof payload === "object" ? JSON.stringify(payload) : payload}`);
});
