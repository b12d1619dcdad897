// A logger that prints each chunk as it comes, with its key order and all.
const net = require("node:net");

const client = new net.Socket();
client.connect({ port: Number(process.argv[2]), host: "127.0.0.1" }, () => console.log("connected"));
client.on("data", (buffer) => console.log(buffer.toString().trim()));
