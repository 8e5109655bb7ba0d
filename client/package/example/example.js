// A page without a build step: connect, subscribe, publish.

import { connect } from "../index.js";

const MESSAGES_SHOWN = 50;
const element = (id) => document.getElementById(id);

let client;

element("connection").addEventListener("submit", async (event) => {
  event.preventDefault();
  await client?.disconnect();
  try {
    client = await connect(element("url").value);
    client.on("state", show);
    show(client.state);
    await client.subscribe(element("filter").value, { qos: 1 }, add);
  } catch (error) {
    element("state").value = error.message;
  }
});

element("disconnect").addEventListener("click", () => client?.disconnect());

element("message").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (client === undefined) return;
  try {
    const { reason } = await client.publish(element("topic").value, element("payload").value, { qos: 1 });
    element("outcome").value = reason;
  } catch (error) {
    element("outcome").value = error.message;
  }
});

function show({ name, retryIn, error }) {
  const retry = retryIn === undefined ? "" : `, next attempt in ${Math.ceil(retryIn / 1000)} s`;
  element("state").value = `${name}${error ? ` (${error.message})` : ""}${retry}`;
}

function add(message) {
  const item = document.createElement("li");
  // As text: whoever publishes is a stranger.
  item.textContent = `${message.topic}  ${message.text()}`;
  element("messages").prepend(item);
  while (element("messages").childElementCount > MESSAGES_SHOWN) element("messages").lastChild.remove();
}
