// A vendor orders a pickup, and thanks for what is delivered.
const net = require("node:net");

const vendor = net.connect(Number(process.argv[2]), "127.0.0.1", () => {
  console.log("connected");
  vendor.write(JSON.stringify({ event: "pickup", payload: { orderId: 7, customer: "Ada" } }));
});
vendor.on("data", (data) => {
  const message = JSON.parse(data);
  if (message.event === "in transit") console.log(`on its way: ${message.payload.orderId}`);
  if (message.event === "delivered") {
    console.log(`thank you for delivering ${message.payload.orderId}`);
    vendor.write(JSON.stringify({ event: "thanks", payload: message.payload }));
  }
});
