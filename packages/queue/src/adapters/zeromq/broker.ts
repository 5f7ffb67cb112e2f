import { connect, type NetConnectOpts } from 'node:net';
import {
  boolean,
  durationMs,
  integer,
  objectWith,
  type Rule,
  type RulesFor,
  readOptions,
  required,
  systemClock,
  text,
} from '@ashlar/core';
import { QueueUnavailableError } from '../../errors.ts';
import { beatMs, maxFrameBytes } from './limits.ts';
import { endpointAdvice } from './line.ts';
import { type BrokerState, openState } from './log/logged-driver.ts';
import { Sessions } from './sessions.ts';
import { closedAtExit, isIpv6, Writer, zeromqLibrary } from './socket.ts';

export interface BrokerOptions {
  /** Where it listens: `tcp://127.0.0.1:5555`, with port `*` for any, or `ipc:///run/queue.sock`. */
  readonly bind: string;
  /** Milliseconds that a message stays with a consumer that does not extend it. Default: 7 500. */
  readonly leaseMs?: number;
  /** The most messages that a group may hold; more are refused with QueueFullError. Default: 1 000 000. */
  readonly maxMessages?: number;
  /** The most dead letters that a group keeps; the oldest go first. Default: 10 000. */
  readonly maxDead?: number;
  /** The results of handlers that a group keeps; the oldest go first. Default: 1 000. */
  readonly maxResults?: number;
  /** Milliseconds within which a message published again with the same id is one message. Default: 300 000. */
  readonly deduplicationMs?: number;
  /** How many ids of a topic are kept for that at least; twice as many at most. Default: 100 000. */
  readonly maxIds?: number;
  /**
   * More options for the Router of zeromq.js, such as `curveServer` and `curveSecretKey`. Default: none; then whoever
   * reaches the port may publish and consume.
   */
  readonly socket?: Readonly<Record<string, unknown>>;
  /** Where messages are kept, so that what was confirmed outlives the broker. Default: none; then messages end with the process. */
  readonly log?: BrokerLogOptions;
}

export interface BrokerLogOptions {
  /** A directory for the log alone, of this broker alone. It is made when it is not there. */
  readonly directory: string;
  /**
   * Whether a message is confirmed when it is on the disk. With `false` it is confirmed when the operating system has it,
   * which outlives the process and not the machine. Default: true.
   */
  readonly fsync?: boolean;
  /** Bytes of the log before what was settled is left out of it; when messages need more, twice what they need. Default: 67 108 864. */
  readonly compactAtBytes?: number;
  /**
   * Bytes that may wait for the disk. Beyond them messages are refused, and none is handed out until it is less.
   * Default: 67 108 864.
   */
  readonly maxWaitingBytes?: number;
}

export interface BrokerSnapshot {
  readonly endpoint: string;
  readonly clients: number;
  /** Packets that no client of this version would send; they were dropped. */
  readonly malformed: number;
  /** Bytes behind the last whole record of the log when it was opened: of a write that a crash has cut short. */
  readonly tornBytes: number;
}

/** A broker that runs in this process. */
export interface Broker extends AsyncDisposable {
  /** Where clients connect. */
  readonly endpoint: string;
  snapshot(): BrokerSnapshot;
  /** Stops listening. Clients wait for the next broker at the same endpoint. */
  close(): Promise<void>;
}

export const socketOptions: Rule<Readonly<Record<string, unknown>> | undefined> = objectWith([]);
const logRules = {
  directory: required(text(), 'write `log: { directory: "/var/lib/queue" }`'),
  fsync: boolean(true),
  compactAtBytes: integer(2 ** 26, { min: 2 ** 10 }),
  maxWaitingBytes: integer(2 ** 26, { min: 2 ** 10 }),
} satisfies RulesFor<BrokerLogOptions>;
const rules = {
  bind: required(text(), endpointAdvice),
  leaseMs: durationMs(7_500, { min: 100 }),
  maxMessages: integer(1_000_000, { min: 1 }),
  maxDead: integer(10_000, { min: 0 }),
  maxResults: integer(1_000, { min: 0 }),
  deduplicationMs: durationMs(300_000),
  maxIds: integer(100_000, { min: 0 }),
  socket: (value, option) => socketOptions(value, option) ?? {},
  log: (value, option): Required<BrokerLogOptions> | undefined =>
    value === undefined ? undefined : readOptions(`\`${option}\``, value, logRules, `${option}.`),
} satisfies RulesFor<BrokerOptions>;

/** Beats that a client may miss before it counts as gone. */
const patience = 3.5;

/**
 * Starts a broker for the clients that `zeromq({ connect })` makes. It runs on the event loop of this process, with the
 * state machine of the memory driver. With `log` what was confirmed outlives the process: a broker that is started with the
 * same log goes on where the other was killed, deliveries in hands included.
 *
 * @throws InvalidOptionError; QueueUnavailableError when it cannot listen; UnsafeBackendError when the log is damaged, or
 * another broker has it
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { bind, socket, log: logSettings, ...settings } = readOptions('startBroker', options, rules);
  const state = await openState(settings, logSettings);
  const router = new (zeromqLibrary().Router)({
    linger: 0,
    // What waits for a client is bounded by its prefetch and its calls
    sendHighWaterMark: 0,
    maxMessageSize: maxFrameBytes,
    heartbeatInterval: beatMs,
    heartbeatTimeout: 3 * beatMs,
    ipv6: isIpv6(bind),
    ...socket,
  });
  const close = closedAtExit(() => router.close());
  try {
    // The library would take the address of another over without a word
    const path = /^ipc:\/\/([^@].*)$/.exec(bind)?.[1];
    if (path !== undefined && (await isListening({ path }))) throw new Error('Address already in use');
    await router.bind(bind);
  } catch (error) {
    close();
    await state[Symbol.asyncDispose]();
    const words = `the broker cannot listen at ${bind}: ${(error as Error).message}`;
    throw new QueueUnavailableError(words, 'NotExecuted', { cause: error });
  }
  return new RouterBroker(router, close, state);
}

type Router = import('zeromq').Router;

class RouterBroker implements Broker {
  readonly endpoint: string;
  readonly #router: Router;
  readonly #closeRouter: () => void;
  readonly #state: BrokerState;
  readonly #sessions: Sessions;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #reading: Promise<void>;
  #isClosed = false;

  constructor(router: Router, close: () => void, state: BrokerState) {
    this.#router = router;
    this.#closeRouter = close;
    this.#state = state;
    this.endpoint = router.lastEndpoint ?? '';
    const { driver } = state;
    const writer = new Writer(frames => router.send([...frames]));
    this.#sessions = new Sessions({
      driver,
      find: (token, topic, group) => driver.held(topic, group, Number(token)),
      silenceMs: patience * beatMs,
      write: frames => writer.write(frames),
    });
    this.#timer = setInterval(() => this.#sessions.sweep(), beatMs / 2);
    this.#reading = this.#read();
  }

  snapshot(): BrokerSnapshot {
    const { size, malformed } = this.#sessions;
    return { endpoint: this.endpoint, clients: size, malformed, tornBytes: this.#state.tornBytes };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#sessions.close();
    this.#closeRouter();
    await this.#reading;
    await untilFree(this.endpoint);
    await this.#state[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(): Promise<void> {
    try {
      for await (const frames of this.#router) this.#sessions.receive(frames);
    } catch (error) {
      if (!this.#isClosed) throw error;
    }
  }
}

/** How long the end of listening is waited for, at most. */
const freeMs = 1_000;

/**
 * The library goes on listening for a moment after its socket was closed, and its own way to end that aborts the process when
 * a client goes at the same time (pipe.cpp:355).
 */
async function untilFree(endpoint: string): Promise<void> {
  const [, protocol, place = ''] = /^(tcp|ipc):\/\/(.+)$/.exec(endpoint) ?? [];
  const [, host = '', port] = /^\[?(.+?)\]?:(\d+)$/.exec(place) ?? [];
  const at = protocol === 'tcp' ? { host, port: Number(port) } : { path: place };
  if (place === '') return;
  for (const until = performance.now() + freeMs; performance.now() < until; ) {
    if (!(await isListening(at))) return;
    await systemClock.sleep(5);
  }
}

function isListening(at: NetConnectOpts): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(at);
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
