// MQTT.js, told what to do by lines of JSON; one process holds many clients. What the lines mean stands in
// tests/src/independent.rs.
// Its modules are found beside HEARTH_NODE_MODULES, because the lock file's folder keeps none.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

const TEXT_BYTES_MAX = 4096;
const VERSIONS = {
  "3.1": { protocolId: "MQIsdp", protocolVersion: 3 },
  "3.1.1": { protocolId: "MQTT", protocolVersion: 4 },
  5: { protocolId: "MQTT", protocolVersion: 5 },
};

const mqtt = createRequire(resolve(process.env.HEARTH_NODE_MODULES, "..", "from-here.js"))("mqtt");
const clients = new Map();
const say = (client, event, fields) => console.log(JSON.stringify({ client, event, ...fields }));

const toBytes = ({ text, bytes, cycle }) =>
  text === undefined
    ? Buffer.alloc(bytes, Uint8Array.from({ length: cycle }, (_, index) => index))
    : Buffer.from(text, "utf8");

const fromBytes = (payload) =>
  payload.length <= TEXT_BYTES_MAX
    ? { text: payload.toString("utf8") }
    : { bytes: payload.length, sha256: createHash("sha256").update(payload).digest("hex") };

const toProperties = ({ response_topic, correlation, content_type, user }) => {
  const userProperties = {};
  for (const [name, value] of user) (userProperties[name] ??= []).push(value);
  return {
    ...(response_topic !== null && { responseTopic: response_topic }),
    ...(correlation !== null && { correlationData: Buffer.from(correlation, "utf8") }),
    ...(content_type !== null && { contentType: content_type }),
    ...(user.length > 0 && { userProperties }),
  };
};

const fromProperties = (properties = {}) => ({
  response_topic: properties.responseTopic ?? null,
  correlation: properties.correlationData?.toString("utf8") ?? null,
  content_type: properties.contentType ?? null,
  user: Object.entries(properties.userProperties ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value]),
  ),
});

const orders = {
  connect(name, { url, version, id, clean, expiry, will }) {
    const client = mqtt.connect(url, {
      ...VERSIONS[version],
      clientId: id,
      clean,
      reconnectPeriod: 0,
      ...(will && { will: { topic: will.topic, payload: toBytes(will.payload), qos: will.qos, retain: will.retain } }),
      ...(version === "5" && { properties: { sessionExpiryInterval: expiry } }),
    });
    const entry = { client, isLeaving: false };
    clients.set(name, entry);
    const fail = (why) => entry.isLeaving || say(name, "failed", { why });
    client.on("error", (error) => fail(String(error)));
    client.on("close", () => fail("the connection ended"));
    client.on("connect", ({ sessionPresent }) => say(name, "connected", { session: sessionPresent }));
    client.on("message", (topic, payload, { qos, retain, properties }) =>
      say(name, "message", {
        topic,
        payload: fromBytes(payload),
        qos,
        retain,
        properties: fromProperties(properties),
      }),
    );
  },
  async subscribe(name, { filters }) {
    const { client } = clients.get(name);
    const wanted = filters.map(([filter, qos]) => [filter, { qos, nl: false, rap: false, rh: 0 }]);
    const granted = await client.subscribeAsync(Object.fromEntries(wanted));
    say(name, "subscribed", { reasons: granted.map(({ qos }) => qos) });
  },
  async publish(name, { topic, payload, qos, retain, properties }) {
    const { client } = clients.get(name);
    const isNew = client.options.protocolVersion === 5;
    const options = { qos, retain, ...(isNew && { properties: toProperties(properties) }) };
    await client.publishAsync(topic, toBytes(payload), options);
    say(name, "published");
  },
  async disconnect(name) {
    const entry = clients.get(name);
    entry.isLeaving = true;
    await entry.client.endAsync();
    clients.delete(name);
    say(name, "disconnected");
  },
  cut(name) {
    const entry = clients.get(name);
    entry.isLeaving = true;
    entry.client.stream.destroy();
    entry.client.end(true);
    clients.delete(name);
    say(name, "cut");
  },
};

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { client, do: what, ...rest } = JSON.parse(line);
  try {
    await orders[what](client, rest);
  } catch (error) {
    say(client, "failed", { why: `${what}: ${error.stack ?? error}` });
  }
});
lines.on("close", () => process.exit(0));
