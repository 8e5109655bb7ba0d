// Lets a test's script use the package, and wait for messages.

import * as mqtt from "/package/index.js";

/** Messages in the order in which they came; `next` waits for the one after those that it gave. */
class Inbox {
  constructor() {
    this.messages = [];
    this.waiting = [];
    this.take = (message) => {
      this.messages.push(message);
      this.waiting.shift()?.();
    };
  }

  async next() {
    while (this.messages.length === 0) await new Promise((resolve) => this.waiting.push(resolve));
    return this.messages.shift();
  }
}

/** What a promise is rejected with. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return { name: error.name, kind: error.kind, code: error.reasonCode, reason: error.reason, message: error.message };
  }
  throw new Error("this should have failed");
}

/** Waits until a client is in a state. */
function until(client, name) {
  if (client.state.name === name) return Promise.resolve(client.state);
  return new Promise((resolve) => {
    const end = client.on("state", (state) => {
      if (state.name === name) {
        end();
        resolve(state);
      }
    });
  });
}

Object.assign(window, { mqtt, Inbox, failure, until, isReady: true });
