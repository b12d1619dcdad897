// A driver picks up, and delivers when it hears of its own "in transit".
const net = require("node:net");

const driver = net.connect(Number(process.argv[2]), "127.0.0.1", () => console.log("connected"));
driver.on("data", (data) => {
  const { event, payload } = JSON.parse(data);
  const say = (event) => driver.write(JSON.stringify({ event, payload }));
  if (event === "pickup") say("in transit");
  if (event === "in transit") say("delivered");
  if (event === "thanks") console.log(`welcome, ${payload.customer}`);
});
