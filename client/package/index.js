// The package's module: promises, listeners and objects around the client, which is WebAssembly.

import initialise, { Engine, reasonWords } from "./hearth_client.js";

// The bits of a message's second word, as `batch.rs` sets them.
const QOS = 3;
const RETAIN = 4;
const DUP = 8;
const EXTRA = 16;
const CARRIED = 32;

/** Milliseconds that `request` waits for an answer unless told otherwise. */
const REQUEST_TIMEOUT_MS = 10_000;

const NOTHING = Object.freeze({});
const NO_BYTES = new Uint8Array(0);
const decoder = new TextDecoder();

let initialised;

/** Loads the WebAssembly; `connect` does it by itself. */
export function load(wasm) {
  initialised ??= initialise(wasm === undefined ? undefined : { module_or_path: wasm }).catch((error) => {
    // So that a later attempt is one.
    initialised = undefined;
    throw error;
  });
  return initialised;
}

/** What went wrong. */
export class MqttError extends Error {
  constructor(kind, message, reasonCode) {
    super(message);
    this.name = "MqttError";
    this.kind = kind;
    this.reasonCode = reasonCode;
    this.reason = reasonCode === undefined ? undefined : reasonWords(reasonCode);
  }
}

/** A message that came. */
export class Message {
  constructor(topic, flags, frame, offset, length, extra) {
    this.topic = topic;
    this._flags = flags;
    this._frame = frame;
    this._offset = offset;
    this._length = length;
    this._extra = extra;
  }

  get qos() {
    return this._flags & QOS;
  }

  get retain() {
    return (this._flags & RETAIN) !== 0;
  }

  get duplicate() {
    return (this._flags & DUP) !== 0;
  }

  get properties() {
    return this._extra?.[0] ?? NOTHING;
  }

  get payload() {
    if ((this._flags & CARRIED) !== 0) return this._extra[1];
    return this._length === 0 ? NO_BYTES : new Uint8Array(this._frame, this._offset, this._length);
  }

  text() {
    return decoder.decode(this.payload);
  }

  json() {
    return JSON.parse(this.text());
  }
}

/** Connects to a broker. */
export async function connect(url, options = {}) {
  if (options === null || typeof options !== "object") {
    throw new TypeError("hearth-client: the options of connect are no object");
  }
  const { signal, wasm, reconnect = true, retryFirst = false, ...rest } = options;
  signal?.throwIfAborted();
  await load(wasm);
  signal?.throwIfAborted();
  const client = new Client(PRIVATE, address(url), rest, reconnect);
  return client._connect(signal, retryFirst);
}

/** The address of a broker; relative ones are relative to the page. */
function address(url) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  let parsed;
  try {
    parsed = new URL(url, base);
  } catch {
    throw new MqttError("invalid", `${url} is no address of a broker, such as wss://broker.example/mqtt`);
  }
  if (parsed.protocol === "http:") parsed.protocol = "ws:";
  if (parsed.protocol === "https:") parsed.protocol = "wss:";
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    throw new MqttError("invalid", `${url} does not begin with ws:// or wss://, and a browser can open nothing else`);
  }
  parsed.hash = "";
  return parsed.href;
}

const PRIVATE = Symbol("made by connect");

/** A subscription that the broker granted. */
class Subscription {
  constructor(client, number, filters, onMessage) {
    this.filters = Object.freeze(filters);
    this.granted = Object.freeze([]);
    this._client = client;
    this._number = number;
    this._onMessage = onMessage;
    this._settle = undefined;
    this._gone = undefined;
    this._release = undefined;
  }

  get active() {
    return this._gone === undefined;
  }

  _listenTo(signal) {
    if (signal === undefined) return;
    const end = () => void this.unsubscribe();
    signal.addEventListener("abort", end, { once: true });
    this._release = () => signal.removeEventListener("abort", end);
  }

  /** Ends it; no message is given to its function any more. */
  unsubscribe() {
    return this._client._unsubscribe(this);
  }
}

/** A client of one broker. */
class Client {
  constructor(key, url, options, reconnect) {
    if (key !== PRIVATE) throw new TypeError("hearth-client: a client is made by connect()");
    this.url = url;
    this.state = Object.freeze({ name: "connecting" });
    this.sessionPresent = false;
    this.server = NOTHING;
    this._reconnect = reconnect;
    this._listeners = { message: new Set(), messages: new Set(), state: new Set(), error: new Set() };
    this._routes = [];
    this._subscriptions = new Map();
    this._publications = new Map();
    this._replies = undefined;
    this._next = 0;
    this._opening = undefined;
    this._flushing = false;
    this._engine = new Engine(url, options, this);
    this.clientId = this._engine.clientId;
  }

  get bufferedBytes() {
    return this._engine?.bufferedBytes ?? 0;
  }

  get pending() {
    return this._engine?.pending ?? 0;
  }

  get connected() {
    return this.state.name === "online" || this.state.name === "checking";
  }

  /** Listens; the function that comes back ends that. */
  on(type, listener, { signal } = {}) {
    const listeners = this._listeners[type];
    if (listeners === undefined) {
      throw new MqttError("invalid", `there is no event ${type}; there are ${Object.keys(this._listeners).join(", ")}`);
    }
    if (typeof listener !== "function") throw new MqttError("invalid", `the listener of ${type} is no function`);
    if (signal?.aborted) return () => {};
    // An entry of its own, so that one function can listen twice.
    const entry = { listener };
    const end = () => {
      listeners.delete(entry);
      signal?.removeEventListener("abort", end);
    };
    listeners.add(entry);
    signal?.addEventListener("abort", end, { once: true });
    return end;
  }

  /** Subscribes to one filter or several. */
  subscribe(filter, options, onMessage) {
    if (typeof options === "function") [options, onMessage] = [undefined, options];
    const { signal, ...rest } = options ?? {};
    return this._attempt(signal, (settle) => {
      if (onMessage !== undefined && typeof onMessage !== "function") {
        throw new MqttError("invalid", "what subscribe is to call with messages is no function");
      }
      const filters = Array.isArray(filter) ? [...filter] : [filter];
      const number = ++this._next;
      const subscription = new Subscription(this, number, filters, onMessage);
      this._engine.subscribe(number, filters, rest);
      this._subscriptions.set(number, subscription);
      subscription._settle = settle;
      this._flushSoon();
      // Later too: the signal ends the subscription, as it does with listeners of events.
      subscription._listenTo(signal);
    });
  }

  /** Publishes a message. */
  publish(topic, payload, options) {
    const { signal, ...rest } = options ?? NOTHING;
    return this._attempt(signal, (settle) => {
      if (typeof topic !== "string") throw new MqttError("invalid", "the topic is no string");
      const number = ++this._next;
      this._engine.publish(number, topic, bytes(payload), options === undefined ? undefined : rest);
      this._publications.set(number, settle);
      this._flushSoon();
    });
  }

  /** Publishes a request and waits for its answer (MQTT 5.0, 4.10). */
  async request(topic, payload, options = {}) {
    const { signal, timeout = REQUEST_TIMEOUT_MS, replyTopic, qos = 1, properties = {}, ...rest } = options;
    signal?.throwIfAborted();
    this._replies ??= new Replies(this, replyTopic);
    const replies = this._replies;
    await replies.ready(signal);
    const { correlationData, answer, forget } = replies.expect();
    let timer;
    const ended = new Promise((_, reject) => {
      const error = new MqttError("timeout", `no answer to ${topic} came within ${timeout} ms`);
      timer = setTimeout(reject, timeout, error);
    });
    ended.catch(() => {});
    try {
      const asked = { ...properties, responseTopic: replies.topic, correlationData };
      const published = await this.publish(topic, payload, { ...rest, qos, properties: asked, signal });
      if (published.reasonCode === 0x10) {
        throw new MqttError("rejected", `nobody is subscribed to ${topic}, so that no answer will come`, 0x10);
      }
      return await this._race(Promise.race([answer, ended]), signal);
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  /** Answers a request. */
  async reply(request, payload, options = {}) {
    const { responseTopic, correlationData } = request.properties;
    if (responseTopic === undefined) throw new MqttError("invalid", "the message asks for no answer");
    const { properties, ...rest } = options;
    return this.publish(responseTopic, payload, { qos: 1, ...rest, properties: { ...properties, correlationData } });
  }

  /** Tries to connect at once instead of waiting. */
  retryNow() {
    if (this.state.name !== "closed") this._engine.retry();
  }

  /** Says goodbye and closes the connection for good. */
  async disconnect({ reasonCode = 0, sessionExpiry, signal } = {}) {
    signal?.throwIfAborted();
    if (this.state.name === "closed") return;
    this._engine.close(reasonCode, sessionExpiry);
    this._closed(new MqttError("closed", "the client was disconnected"));
  }

  _connect(signal, retryFirst) {
    const opened = new Promise((resolve, reject) => {
      this._opening = { resolve: () => resolve(this), reject, retryFirst };
      signal?.addEventListener("abort", () => this._giveUp(signal.reason), { once: true });
    });
    this._engine.open();
    return opened;
  }

  /** Ends an attempt to connect that nobody waits for any more. */
  _giveUp(error) {
    const opening = this._opening;
    if (opening === undefined) return;
    this._opening = undefined;
    this._engine.close(0, undefined);
    this._closed(error);
    opening.reject(error);
  }

  /** A promise that an answer settles, or the signal's end. */
  _attempt(signal, begin) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.state.name === "closed") throw new MqttError("closed", "the client is disconnected");
      if (signal === undefined) return begin({ resolve, reject });
      const abort = () => reject(signal.reason);
      const ending = (settle) => (value) => {
        signal.removeEventListener("abort", abort);
        settle(value);
      };
      signal.addEventListener("abort", abort, { once: true });
      begin({ resolve: ending(resolve), reject: ending(reject) });
    });
  }

  /** What a promise comes to, unless the signal comes first. */
  _race(promise, signal) {
    return signal === undefined ? promise : this._attempt(signal, ({ resolve, reject }) => promise.then(resolve, reject));
  }

  _unsubscribe(subscription) {
    if (subscription._gone !== undefined) return subscription._gone;
    if (this.state.name === "closed") return Promise.resolve();
    subscription._gone = new Promise((resolve) => {
      subscription._settle?.reject(new MqttError("closed", "the subscription was ended before the broker granted it"));
      subscription._settle = { resolve, reject: resolve };
    });
    subscription._release?.();
    this._engine.unsubscribe(subscription._number);
    this._flushSoon();
    return subscription._gone;
  }

  /** What is published in one go leaves in one frame. */
  _flushSoon() {
    if (this._flushing) return;
    this._flushing = true;
    queueMicrotask(() => {
      this._flushing = false;
      this._engine?.flush();
    });
  }

  _closed(error) {
    const settles = [...this._publications.values()];
    for (const subscription of this._subscriptions.values()) {
      settles.push(subscription._settle);
      subscription._gone ??= Promise.resolve();
    }
    this._publications.clear();
    this._subscriptions.clear();
    const engine = this._engine;
    this._engine = undefined;
    // It may have called this, and then it must return first.
    queueMicrotask(() => engine.free());
    this._setState({ name: "closed", error });
    for (const settle of settles) settle?.reject(error);
    this._replies?.close(error);
  }

  _setState(state) {
    this.state = Object.freeze(state);
    this._tell("state", this.state);
  }

  _tell(type, value) {
    for (const { listener } of this._listeners[type]) call(listener, value);
  }

  // What the WebAssembly calls; `sink.rs` names them. None of them throws.

  error(kind, message, reasonCode) {
    return new MqttError(kind, message, reasonCode);
  }

  link(name, roundTrip, retryIn, error) {
    if (name === "waiting" || name === "refused") {
      if (this._opening !== undefined && !this._opening.retryFirst) return this._giveUp(error);
      if (!this._reconnect) {
        this._engine.close(0, undefined);
        return this._closed(error);
      }
    }
    this._setState({ name, roundTrip, retryIn, error });
  }

  accepted(sessionPresent, clientId, server) {
    this.clientId = clientId;
    this.sessionPresent = sessionPresent;
    this.server = Object.freeze(server);
    const opening = this._opening;
    if (opening === undefined) return;
    this._opening = undefined;
    opening.resolve();
    // What waits for the connection runs before a timer does, and can subscribe and listen before the first message.
    setTimeout(() => this._engine?.resume());
  }

  published(number, reasonCode) {
    const settle = this._publications.get(number);
    if (settle === undefined) return;
    this._publications.delete(number);
    const reason = reasonWords(reasonCode);
    if (reasonCode < 0x80) return settle.resolve({ reasonCode, reason });
    settle.reject(new MqttError("rejected", `the message was refused: ${reason}`, reasonCode));
  }

  subscribed(number, reasonCodes) {
    const subscription = this._subscriptions.get(number);
    if (subscription === undefined || !subscription.active) return;
    const settle = subscription._settle;
    subscription._settle = undefined;
    const place = reasonCodes.findIndex((code) => code >= 0x80);
    if (place < 0) {
      subscription.granted = Object.freeze([...reasonCodes]);
      return settle?.resolve(subscription);
    }
    const code = reasonCodes[place];
    const words = `the broker refused the subscription to ${subscription.filters[place]}: ${reasonWords(code)}`;
    const error = new MqttError("rejected", words, code);
    void this._unsubscribe(subscription);
    if (settle === undefined) this._tell("error", error);
    else settle.reject(error);
  }

  unsubscribed(number) {
    const subscription = this._subscriptions.get(number);
    this._subscriptions.delete(number);
    subscription?._settle?.resolve();
  }

  route(number, topic, subscriptions) {
    const targets = Array.from(subscriptions, (it) => this._subscriptions.get(it));
    this._routes[number] = { topic, targets: targets.filter((it) => it?._onMessage !== undefined) };
  }

  forget() {
    // A new list: the old one may be in use further up the stack.
    this._routes = [];
  }

  messages(frame, view, extras) {
    // A copy: the memory that it is a view of may move while listeners run.
    const words = view.slice();
    const routes = this._routes;
    const { message: listeners, messages: batches } = this._listeners;
    const list = batches.size > 0 ? [] : undefined;
    let extra = 0;
    for (let at = 0; at < words.length; at += 4) {
      const { topic, targets } = routes[words[at]];
      const flags = words[at + 1];
      const more = (flags & EXTRA) === 0 ? undefined : extras[extra++];
      const message = new Message(topic, flags, frame, words[at + 2], words[at + 3], more);
      for (let place = 0; place < targets.length; place += 1) {
        const target = targets[place];
        if (target._gone === undefined) call(target._onMessage, message);
      }
      if (listeners.size > 0) for (const { listener } of listeners) call(listener, message);
      list?.push(message);
    }
    if (list !== undefined) this._tell("messages", list);
  }
}

/** Where the answers to a client's requests come in. */
class Replies {
  constructor(client, topic) {
    const id = client.clientId.replaceAll(/[+#/]/g, "-");
    this.topic = topic ?? `${client.server.responseInformation ?? "reply/"}${id}`;
    this._waiting = new Map();
    this._count = 0;
    this._client = client;
  }

  /** Waits until the broker knows the topic. */
  async ready(signal) {
    this._subscription ??= this._client
      .subscribe(this.topic, { qos: 1 }, (message) => this._take(message))
      .catch((error) => {
        this._subscription = undefined;
        throw error;
      });
    await this._client._race(this._subscription, signal);
  }

  expect() {
    this._count += 1;
    const key = `${this._count}`;
    let waiting;
    const answer = new Promise((resolve, reject) => (waiting = { resolve, reject }));
    answer.catch(() => {});
    this._waiting.set(key, waiting);
    return { correlationData: bytes(key), answer, forget: () => this._waiting.delete(key) };
  }

  close(error) {
    for (const waiting of this._waiting.values()) waiting.reject(error);
    this._waiting.clear();
  }

  _take(message) {
    const { correlationData } = message.properties;
    const key = correlationData && decoder.decode(correlationData);
    this._waiting.get(key)?.resolve(message);
  }
}

/** Calls a listener; what it throws is reported as the browser reports errors of event listeners. */
function call(listener, value) {
  try {
    listener(value);
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else queueMicrotask(() => { throw error; });
  }
}

const encoder = new TextEncoder();

/** The bytes of a payload. */
function bytes(payload) {
  if (typeof payload === "string") return encoder.encode(payload);
  if (ArrayBuffer.isView(payload) && !(payload instanceof Uint8Array)) {
    return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  }
  return payload;
}

