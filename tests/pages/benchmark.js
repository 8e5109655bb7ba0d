// One client that feeds a counter: `?client=hearth` or `?client=mqtt.js`, `&url=` of the broker; `&reads=payload` looks at each
// payload too.

const query = new URLSearchParams(location.search);
const url = query.get("url");
const reads = query.get("reads") === "payload";
const filter = "bench/#";

window.count = 0;
window.bytes = 0;

async function listenWithHearth() {
  const { connect } = await import("/package/index.js");
  const client = await connect(url);
  const onlyCount = () => {
    window.count += 1;
  };
  const read = (message) => {
    window.count += 1;
    window.bytes += message.payload.length;
  };
  await client.subscribe(filter, reads ? read : onlyCount);
}

async function listenWithMqttJs() {
  const { default: mqtt } = await import("/mqtt-js/mqtt.esm.js");
  // Its own timers run in a worker made of a blob, which a strict content security policy forbids.
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, timerVariant: "native" });
  const onlyCount = () => {
    window.count += 1;
  };
  const read = (_topic, payload) => {
    window.count += 1;
    window.bytes += payload.length;
  };
  client.on("message", reads ? read : onlyCount);
  await client.subscribeAsync(filter);
}

await (query.get("client") === "hearth" ? listenWithHearth() : listenWithMqttJs());
window.isReady = true;
