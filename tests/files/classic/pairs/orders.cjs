// A shop whose orders say of no event, each a JSON object: `node orders.cjs PORT logger`, or app.
const net = require("node:net");
const [port, role] = process.argv.slice(2);
const socket = net.connect(Number(port), "127.0.0.1");
const orders = [{ orderID: 1, items: [{ name: "tea", price: 2.5 }] }, { orderID: 2, items: [] }];

if (role === "logger") {
  socket.on("connect", () => console.log("connected"));
  socket.on("data", (data) => {
    const { orderID, items } = JSON.parse(data);
    console.log(`order ${orderID}: ${items.map(({ name }) => name).join() || "nothing"}`);
  });
} else {
  socket.on("connect", () => {
    for (const order of orders) socket.write(JSON.stringify(order, null, 2));
    socket.end();
  });
}
