import {
  boolean,
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

export interface RabbitmqOptions<T extends QueueType = QueueType, P extends boolean = boolean> {
  /**
   * Such as `amqp://user:password@localhost`, or `amqps:`; of a cluster several, which are tried in turn. A function is
   * asked before each connection: for passwords and tokens that change.
   */
  readonly url: Urls | (() => Urls | Promise<Urls>);
  /** Options of `net.connect` or `tls.connect`, such as `{ ca }`. Default: none. */
  readonly socket?: object;
  /**
   * `quorum` is replicated, and counts deliveries: it has `crashes`. `classic` has priorities with every server, and is
   * neither replicated nor counts. Default: `quorum`.
   */
  readonly queueType?: T;
  /**
   * Quorum queues hand out messages of higher `priority` first. They do so from RabbitMQ 4.3 on: an older server is refused,
   * after connecting. Classic queues always do. Default: false.
   */
  readonly priorities?: P;
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
export interface RabbitmqCapabilities<T extends QueueType = 'quorum', P extends boolean = false>
  extends Capabilities {
  readonly delay: true;
  readonly priority: T extends 'classic' ? true : P;
  readonly fanout: true;
  readonly durable: true;
  readonly orderedKeys: false;
  readonly deadLetters: true;
  readonly crashCount: T extends 'classic' ? false : true;
  readonly uniqueIds: false;
  readonly expiry: true;
}

export function capabilitiesOf<T extends QueueType, P extends boolean>({
  queueType,
  priorities,
}: Settings): RabbitmqCapabilities<T, P> {
  const capabilities: Capabilities = {
    delay: true,
    priority: queueType === 'classic' || priorities,
    fanout: true,
    durable: true,
    orderedKeys: false,
    deadLetters: true,
    crashCount: queueType === 'quorum',
    uniqueIds: false,
    expiry: true,
  };
  return capabilities as RabbitmqCapabilities<T, P>;
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
  priorities: boolean(false),
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
  readonly priorities: boolean;
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

/**
 * Whether the server that was connected to has what is asked for.
 *
 * @throws InvalidOptionError
 */
export function checkServer(version: string, { queueType, priorities }: Settings): void {
  if (!priorities || queueType === 'classic') return;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 4 || (major === 4 && minor >= 3)) return;
  throw refused('priorities', `false with quorum queues of RabbitMQ ${version}, before 4.3`, priorities);
}
