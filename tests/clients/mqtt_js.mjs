// MQTT.js over WebSocket, told what to do by lines of JSON: node mqtt_js.mjs URL VERSION
// Its modules are found beside HEARTH_NODE_MODULES, because the lock file's folder keeps none.
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

const modules = process.env.HEARTH_NODE_MODULES;
const mqtt = createRequire(resolve(modules, "..", "from-here.js"))("mqtt");
const [url, version] = process.argv.slice(2);
const say = (event) => console.log(JSON.stringify(event));
const fail = (error) => {
  console.error(`mqtt_js: ${error.stack ?? error}`);
  process.exit(1);
};

const client = mqtt.connect(url, { protocolVersion: version === "5" ? 5 : 4, reconnectPeriod: 0 });
client.on("error", fail);
client.on("connect", () => say({ event: "connected" }));
client.on("message", (topic, payload, { qos, retain }) =>
  say({ event: "message", topic, payload: payload.toString("utf8"), qos, retain }),
);

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const order = JSON.parse(line);
  if (order.do === "subscribe") {
    client.subscribeAsync(order.filter, { qos: order.qos }).then(([granted]) => {
      say({ event: "subscribed", qos: granted.qos });
    }, fail);
  } else if (order.do === "publish") {
    const { topic, payload, qos, retain } = order;
    client.publishAsync(topic, payload, { qos, retain }).then(() => say({ event: "published" }), fail);
  } else {
    fail(`unknown order ${line}`);
  }
});
lines.on("close", () => client.endAsync().then(() => process.exit(0), fail));
