/** An MQTT client for browsers: MQTT 5.0 and 3.1.1 over WebSocket. */

/** What can be sent. */
export type Payload = string | ArrayBuffer | ArrayBufferView;

/** The delivery guarantee: at most once, at least once, exactly once. */
export type QoS = 0 | 1 | 2;

/** Names and values of the application; names may repeat. */
export type UserProperties = ReadonlyArray<readonly [name: string, value: string]>;

/** The properties of a message (MQTT 5.0, 3.3.2.3). */
export interface MessageProperties {
  /** Whether the payload is UTF-8 text. */
  payloadFormat?: "bytes" | "text";
  /** Seconds that the message lives. */
  messageExpiry?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  userProperties?: UserProperties;
}

/** The same for sending, where more is taken. */
export interface PublishProperties extends Omit<MessageProperties, "correlationData" | "userProperties"> {
  correlationData?: string | ArrayBuffer | Uint8Array;
  userProperties?: UserProperties | Readonly<Record<string, string>>;
}

/** The message that the broker publishes when the page is gone without a word. */
export interface Will {
  topic: string;
  payload?: string | ArrayBuffer | Uint8Array;
  qos?: QoS;
  retain?: boolean;
  /** Seconds between the end of the connection and the publication. MQTT 5.0. */
  delay?: number;
  /** MQTT 5.0. */
  properties?: PublishProperties;
}

export interface ConnectOptions {
  /** "5.0" unless told otherwise. */
  version?: "5.0" | "3.1.1";
  /** Drawn at random unless told otherwise: two pages with one id throw each other out. */
  clientId?: string;
  username?: string;
  password?: string | ArrayBuffer | Uint8Array;
  /** Whether the broker is to forget what it holds of an earlier session; true unless told otherwise. */
  cleanStart?: boolean;
  /** Seconds of silence after which the broker is asked for a sign of life; 60 unless told otherwise, 0 for never. */
  keepAlive?: number;
  /**
   * Seconds that the broker keeps the session when the connection is lost. Without it the session is kept for 300 seconds,
   * and ended when the page is closed. MQTT 5.0.
   */
  sessionExpiry?: number;
  /** QoS 1 and 2 messages that the broker may send before they are acknowledged. MQTT 5.0. */
  receiveMaximum?: number;
  /** The largest packet that is taken, in bytes; 64 MiB unless told otherwise. */
  maximumPacketSize?: number;
  /** Topic aliases that the broker may use; 0 unless told otherwise. MQTT 5.0. */
  topicAliasMaximum?: number;
  /** MQTT 5.0. */
  requestResponseInformation?: boolean;
  /** MQTT 5.0. */
  requestProblemInformation?: boolean;
  /** MQTT 5.0. */
  userProperties?: UserProperties | Readonly<Record<string, string>>;
  will?: Will;
  /** QoS 1 and 2 messages that may wait while there is no connection; 10,000 unless told otherwise. */
  queueMax?: number;
  /** Milliseconds that opening the socket may take; 10,000 unless told otherwise. */
  connectTimeout?: number;
  /** The longest wait between two attempts, in milliseconds; 30,000 unless told otherwise. */
  retryMax?: number;
  /** Whether a lost connection is opened again; true unless told otherwise. */
  reconnect?: boolean;
  /** Whether the first connection is tried again too, instead of failing the promise; false unless told otherwise. */
  retryFirst?: boolean;
  /** Ends the attempt to connect; afterwards it does nothing. */
  signal?: AbortSignal;
  /** Where the WebAssembly is, or the module itself; beside the script unless told otherwise. Counts once a page. */
  wasm?: string | URL | Request | Response | Promise<Response> | BufferSource | WebAssembly.Module;
}

export interface SubscribeOptions {
  /** The highest QoS that messages come with; 0 unless told otherwise. */
  qos?: QoS;
  /** Whether this client's own messages are left out. MQTT 5.0. */
  noLocal?: boolean;
  /** Whether messages keep the retain flag that they were published with. MQTT 5.0. */
  retainAsPublished?: boolean;
  /** When the broker sends what it has retained; "always" unless told otherwise. MQTT 5.0. */
  retained?: "always" | "if-new" | "never";
  /** MQTT 5.0. */
  userProperties?: UserProperties | Readonly<Record<string, string>>;
  /**
   * Whether to subscribe again after a reconnection even where the broker kept the session, so that retained messages tell
   * what changed meanwhile. True for QoS 0, since nothing is kept for it, and false for QoS 1 and 2.
   */
  refresh?: boolean;
  /** Ends the subscription, whether or not the broker has granted it yet. */
  signal?: AbortSignal;
}

export interface PublishOptions {
  /** 0 unless told otherwise. */
  qos?: QoS;
  /** Whether the broker keeps it for later subscribers. */
  retain?: boolean;
  /** MQTT 5.0. */
  properties?: PublishProperties;
  /** Ends the wait. A message that was taken may still be delivered. */
  signal?: AbortSignal;
}

export interface RequestOptions extends Omit<PublishOptions, "properties"> {
  /** Milliseconds that the answer may take; 10,000 unless told otherwise. */
  timeout?: number;
  /** Where answers come; the first request decides. `reply/CLIENT ID` unless told otherwise. */
  replyTopic?: string;
  properties?: Omit<PublishProperties, "responseTopic" | "correlationData">;
}

/** What became of a publication that was not refused. */
export interface Published {
  /** 0 for success, 0x10 when nobody is subscribed. */
  readonly reasonCode: number;
  /** The reason code in words. */
  readonly reason: string;
}

export type StateName = "connecting" | "online" | "checking" | "waiting" | "refused" | "closed";

export interface State {
  readonly name: StateName;
  /** Milliseconds of the last question and its answer, when online. */
  readonly roundTrip?: number;
  /** Milliseconds until the next attempt, when waiting or refused. */
  readonly retryIn?: number;
  /** Why there is no connection. */
  readonly error?: MqttError;
}

/** What the broker said when it took the connection; what it left out is missing. MQTT 5.0. */
export interface ServerTerms {
  readonly sessionExpiry?: number;
  readonly receiveMaximum?: number;
  readonly maximumQoS?: QoS;
  readonly retainAvailable?: boolean;
  readonly maximumPacketSize?: number;
  readonly topicAliasMaximum?: number;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
  readonly wildcardSubscriptions?: boolean;
  readonly subscriptionIdentifiers?: boolean;
  readonly sharedSubscriptions?: boolean;
  readonly serverKeepAlive?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
}

/**
 * - `invalid`: an argument is wrong; the message says which and how.
 * - `unreachable`: the socket could not be opened, or broke off.
 * - `refused`: the broker did not take the connection, or does not take such a thing at all.
 * - `rejected`: the broker did not take a message or a subscription.
 * - `disconnected`: the broker said goodbye.
 * - `silent`: the broker said nothing for longer than the keep-alive allows.
 * - `protocol`: one side broke the rules of MQTT.
 * - `offline`: QoS 0 is not kept for later.
 * - `queue-full`: `queueMax` messages wait already.
 * - `timeout`: no answer came to a request.
 * - `closed`: the client, or the subscription, was ended.
 */
export type ErrorKind =
  | "invalid"
  | "unreachable"
  | "refused"
  | "rejected"
  | "disconnected"
  | "silent"
  | "protocol"
  | "offline"
  | "queue-full"
  | "timeout"
  | "closed";

export class MqttError extends Error {
  private constructor();
  readonly name: "MqttError";
  readonly kind: ErrorKind;
  /** The broker's reason code (MQTT 5.0, 2.4), if it gave one. */
  readonly reasonCode?: number;
  /** The same in words. */
  readonly reason?: string;
}

/** A message that came. */
export class Message {
  private constructor();
  readonly topic: string;
  readonly qos: QoS;
  /** Whether the broker had kept it; with `retainAsPublished`, whether it was published so. */
  readonly retain: boolean;
  /** Whether it may have come before. */
  readonly duplicate: boolean;
  readonly properties: Readonly<MessageProperties>;
  /**
   * The payload, as a view of the frame that it came in: nothing is copied. Do not write to it. A message that is kept keeps its
   * frame, which other messages share; `payload.slice()` is a copy that does not.
   */
  readonly payload: Uint8Array;
  /** The payload as text; what is no UTF-8 becomes U+FFFD. */
  text(): string;
  /**
   * The payload as JSON.
   * @throws {SyntaxError} It is none.
   */
  json(): any;
}

export interface Subscription {
  readonly filters: readonly string[];
  /** The granted QoS of each filter. */
  readonly granted: readonly number[];
  readonly active: boolean;
  /** Ends it: its function is called no more from now on. The promise says that the broker has heard it. */
  unsubscribe(): Promise<void>;
}

export interface ClientEvents {
  /** Each message, whatever subscription it came for. */
  message: Message;
  /** The messages of one frame at once, which costs less than one call for each. */
  messages: readonly Message[];
  state: State;
  /** What went wrong that no promise tells: a subscription that the broker refused after a reconnection. */
  error: MqttError;
}

export interface Client {
  readonly url: string;
  readonly clientId: string;
  readonly state: State;
  readonly connected: boolean;
  /** Whether the broker had a session of this client when it last connected. */
  readonly sessionPresent: boolean;
  readonly server: ServerTerms;
  /** Bytes that wait in the browser; who publishes much QoS 0 looks at it. */
  readonly bufferedBytes: number;
  /** QoS 1 and 2 messages that are not through. */
  readonly pending: number;
  /** Listens; the function that comes back ends that, and so does the signal. */
  on<K extends keyof ClientEvents>(
    type: K,
    listener: (event: ClientEvents[K]) => void,
    options?: { signal?: AbortSignal },
  ): () => void;
  /** Subscribes; without a connection as soon as there is one. The promise says that the broker has granted it. */
  subscribe(filter: string | readonly string[], onMessage?: (message: Message) => void): Promise<Subscription>;
  subscribe(
    filter: string | readonly string[],
    options?: SubscribeOptions,
    onMessage?: (message: Message) => void,
  ): Promise<Subscription>;
  /**
   * Publishes. The promise is settled by the broker's acknowledgement, with QoS 0 as soon as the browser has it. QoS 1 and 2 wait
   * for a connection, and outlive a lost one.
   */
  publish(topic: string, payload?: Payload | null, options?: PublishOptions): Promise<Published>;
  /** Publishes a request and waits for its answer. Fails at once when nobody is subscribed. MQTT 5.0. */
  request(topic: string, payload?: Payload | null, options?: RequestOptions): Promise<Message>;
  /** Answers a request. MQTT 5.0. */
  reply(request: Message, payload?: Payload | null, options?: PublishOptions): Promise<Published>;
  /** Tries to connect at once instead of waiting. */
  retryNow(): void;
  /** Says goodbye and closes for good. Whatever is not through is rejected as `closed`. */
  disconnect(options?: { reasonCode?: number; sessionExpiry?: number; signal?: AbortSignal }): Promise<void>;
}

/** Connects. The promise is rejected when the first attempt fails, unless `retryFirst` says otherwise. */
export function connect(url: string | URL, options?: ConnectOptions): Promise<Client>;

/** Loads the WebAssembly ahead of time; `connect` does it by itself. */
export function load(wasm?: ConnectOptions["wasm"]): Promise<unknown>;
