import {
  durationMs,
  integer,
  objectWith,
  oneOf,
  type Rule,
  readOptions,
  refused,
  required,
} from '@ashlar/core';
import type { Capabilities } from '../../driver.ts';

/** Of a group. RabbitMQ cannot change it once the group is declared. */
export type QueueType = 'quorum' | 'classic';

type Urls = string | readonly string[];

export interface RabbitmqOptions<T extends QueueType = QueueType> {
  /**
   * Such as `amqp://user:password@localhost`, or `amqps:`; of a cluster several, which are tried in turn. A function is
   * asked before each connection: for passwords and tokens that change.
   */
  readonly url: Urls | (() => Urls | Promise<Urls>);
  /** Options of `net.connect` or `tls.connect`, such as `{ ca }`. Default: none. */
  readonly socket?: object;
  /**
   * `quorum` is replicated, and counts deliveries: it has `crashes`. `classic` has priorities, and is neither replicated
   * nor counts. Default: `quorum`.
   */
  readonly queueType?: T;
  /** The beginning of the names of all exchanges and queues. Default: `ashlar-queue`. */
  readonly prefix?: string;
  /** Milliseconds between heartbeats, in whole seconds; a dead connection is noticed after two or three. Default: 4 000. */
  readonly heartbeatMs?: number;
  /** Milliseconds for a call, the wait for a connection included. Default: 5 000. */
  readonly timeoutMs?: number;
  /** The most messages that wait in a group; more are refused with QueueFullError. Default: 1 000 000. */
  readonly maxMessages?: number;
  /** The most dead letters that a group keeps; the oldest go first. Default: 10 000. */
  readonly maxDead?: number;
}

/** What the driver over RabbitMQ can do, with groups of that type. */
export interface RabbitmqCapabilities<T extends QueueType = 'quorum'> extends Capabilities {
  readonly delay: true;
  readonly priority: T extends 'classic' ? true : false;
  readonly fanout: true;
  readonly durable: true;
  readonly orderedKeys: false;
  readonly deadLetters: true;
  readonly crashCount: T extends 'classic' ? false : true;
  readonly uniqueIds: false;
  readonly expiry: true;
}

export function capabilitiesOf<T extends QueueType>(queueType: QueueType): RabbitmqCapabilities<T> {
  const capabilities: Capabilities = {
    delay: true,
    priority: queueType === 'classic',
    fanout: true,
    durable: true,
    orderedKeys: false,
    deadLetters: true,
    crashCount: queueType === 'quorum',
    uniqueIds: false,
    expiry: true,
  };
  return capabilities as RabbitmqCapabilities<T>;
}

const urlShape = 'an `amqp:` or `amqps:` address, or several';

/** @throws InvalidOptionError */
function readUrls(value: unknown, option: string): readonly string[] {
  const urls: unknown[] = Array.isArray(value) ? value : [value];
  const areUrls = urls.every(url => typeof url === 'string' && /^amqps?:\/\//.test(url) && URL.canParse(url));
  // Without the value, which may hold a password
  if (urls.length === 0 || !areUrls) throw refused(option, urlShape, typeof value);
  return urls as string[];
}

const urlRule: Rule<(() => Promise<readonly string[]>) | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  if (typeof value === 'function') return async () => readUrls(await value(), `${option}()`);
  const urls = readUrls(value, option);
  return async () => urls;
};
const prefixRule: Rule<string> = (value, option) => {
  if (value === undefined) return 'ashlar-queue';
  if (typeof value === 'string' && /^[\w.-]{1,64}$/.test(value)) return value;
  throw refused(option, 'of 1 to 64 letters, digits, `.`, `_` and `-`', value);
};

const rules = {
  url: required(urlRule, `${urlShape}, or a function that returns that`),
  socket: objectWith<object>([]),
  queueType: oneOf('quorum', ['quorum', 'classic']),
  prefix: prefixRule,
  heartbeatMs: durationMs(4_000, { min: 1_000, max: 60_000 }),
  timeoutMs: durationMs(5_000, { above: 0, max: 2 ** 30 }),
  maxMessages: integer(1_000_000, { min: 1 }),
  maxDead: integer(10_000, { min: 1 }),
} satisfies Readonly<Record<keyof RabbitmqOptions, Rule<unknown>>>;

/** What the driver goes by. */
export interface Settings {
  /** The addresses, asked for before each connection. */
  url(): Promise<readonly string[]>;
  readonly socket?: object | undefined;
  readonly queueType: QueueType;
  readonly prefix: string;
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
  readonly maxMessages: number;
  readonly maxDead: number;
}

/** @throws InvalidOptionError */
export function readSettings(options: RabbitmqOptions): Settings {
  return readOptions('rabbitmq', options, rules);
}
