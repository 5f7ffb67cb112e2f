import {
  boolean,
  durationMs,
  integer,
  number,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  record,
  refused,
  required,
} from '@ashlar/core';
import type { Deduplication, Limits, NackOptions, OutgoingMessage, Rate } from '../driver.ts';
import { idText, topicName } from '../names.ts';
import type { Of } from './hands.ts';
import {
  type ClientMessage,
  type Operation,
  operations,
  type Settlement,
  settlements,
  type WireOptions,
} from './protocol.ts';

/** What comes from afar is checked before it reaches a driver, which trusts its caller. */

const id = required(integer(undefined, { min: 0, max: Number.MAX_SAFE_INTEGER }));
const anyList: Rule<readonly unknown[]> = (value, option) => {
  if (Array.isArray(value)) return value;
  throw refused(option, 'an array', value);
};

const rate: Rule<Rate | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  const rules = {
    count: required(number(undefined, { above: 0 })),
    perMs: required(durationMs(undefined, { above: 0 })),
  } satisfies RulesFor<Rate>;
  return readOptions(option, value, rules, `${option}.`);
};
const limits: Rule<Limits | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  const rules = { rate, keyRate: rate, keyConcurrency: integer(undefined, { min: 1 }) };
  return readOptions(option, value, rules, `${option}.`);
};
const consumeRules = {
  prefetch: required(integer(undefined, { min: 1, max: 1_000_000 })),
  ordered: boolean(),
  fair: boolean(),
  limits,
} satisfies RulesFor<WireOptions>;

const deduplication: Rule<Deduplication | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  const rules = {
    key: required(idText),
    mode: required(oneOf(undefined, ['simple', 'throttle', 'debounce'])),
    ttlMs: durationMs(),
  };
  const { mode, ttlMs, key } = readOptions(option, value, rules, `${option}.`);
  if (mode === 'simple') return { key, mode };
  if (ttlMs === undefined) throw refused(`${option}.ttlMs`, 'a number of milliseconds', ttlMs);
  return { key, mode, ttlMs };
};
const headers: Rule<Readonly<Record<string, string>>> = (value, option) => {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isRecord && Object.values(value).every(each => typeof each === 'string')) {
    return value as Readonly<Record<string, string>>;
  }
  throw refused(option, 'an object of strings', value);
};
const messageRules = {
  id: required(idText),
  headers,
  key: idText,
  delayMs: durationMs(),
  priority: integer(undefined, { min: 0, max: 9 }),
  expiresInMs: durationMs(),
  deduplication,
};

const nackRules = {
  requeueAfterMs: durationMs(0),
  dead: (value, option) => (value === undefined ? undefined : anyText(value, option)),
  charge: boolean(true),
} satisfies RulesFor<NackOptions>;
const anyText: Rule<string> = (value, option) => {
  if (typeof value === 'string') return value;
  throw refused(option, 'a string', value);
};
const texts: Rule<readonly string[] | undefined> = (value, option) => {
  if (value === undefined) return undefined;
  return anyList(value, option).map(each => anyText(each, option));
};
const selection = record({ ids: texts, limit: integer(undefined, { min: 0 }) });
const page = record({
  limit: required(integer(undefined, { min: 1 })),
  after: (value, option) => (value === undefined ? undefined : anyText(value, option)),
});
const settings = record({ allowUnrouted: boolean() });
const messages: Rule<readonly unknown[]> = (value, option) =>
  anyList(value, option).map(each => readOptions('a message', each, messageRules));

const argumentRules: Readonly<Record<Operation, readonly Rule<unknown>[]>> = {
  declare: [topicName, topicName],
  publish: [topicName, messages, settings],
  inspect: [topicName, topicName, page],
  redrive: [topicName, topicName, selection],
  purge: [topicName, topicName, selection],
  stats: [topicName, topicName],
  probe: [topicName, topicName],
  pause: [topicName, topicName],
  resume: [topicName, topicName],
  find: [topicName, topicName, anyText],
  cancel: [topicName, topicName, anyText],
};

/** A message whose form is known; its arguments are not yet checked. @throws InvalidOptionError */
export function checkMessage(value: unknown): ClientMessage {
  const message = value as ClientMessage;
  if (typeof value !== 'object' || value === null) throw refused('message', 'an object', value);
  if (message.parts !== undefined) {
    const parts = anyList(message.parts, 'parts');
    if (!parts.every(part => part instanceof Uint8Array)) throw refused('parts', 'arrays of bytes', parts);
  }
  switch (message.type) {
    case 'hello':
      return message;
    case 'call':
      id(message.id, 'id');
      anyList(message.args, 'args');
      return message;
    case 'settle':
      id(message.id, 'id');
      return message;
    case 'consume':
    case 'leave':
      id(message.id, 'id');
      return message;
    default:
      throw refused('type', 'one of the protocol', (value as { readonly type?: unknown }).type);
  }
}

/** @throws InvalidOptionError */
export function checkCall(message: ClientMessage & { readonly type: 'call' }): readonly unknown[] {
  const operation = required(oneOf(undefined, operations))(message.operation, 'operation');
  const args = argumentRules[operation].map((rule, index) => rule(message.args[index], `args[${index}]`));
  if (operation !== 'publish') return args;
  const batch = args[1] as readonly Omit<OutgoingMessage, 'body'>[];
  const bodies = message.parts ?? [];
  if (bodies.length !== batch.length) throw refused('parts', `${batch.length} bodies`, bodies.length);
  const whole = batch.map((each, index) => ({ ...each, body: bodies[index]! }));
  return [args[0], whole, args[2]];
}

/** @throws InvalidOptionError */
export function checkConsume({
  topic,
  group,
  options,
  holds,
}: ClientMessage & { readonly type: 'consume' }): {
  topic: string;
  group: string;
  options: WireOptions;
  holds: readonly string[];
} {
  return {
    topic: topicName(topic, 'topic'),
    group: topicName(group, 'group'),
    options: readOptions('consume', options, consumeRules),
    holds: texts(holds, 'holds') ?? [],
  };
}

/** @throws InvalidOptionError */
export function checkOf(of: unknown): Of {
  const [topic, group, id] = anyList(of, 'of');
  return [topicName(topic, 'topic'), topicName(group, 'group'), anyText(id, 'id')];
}

/** The arguments for the method. @throws InvalidOptionError */
export function checkSettlement({ how, options, parts = [] }: ClientMessage & { readonly type: 'settle' }): {
  how: Settlement;
  args: readonly unknown[];
} {
  required(oneOf(undefined, settlements))(how, 'how');
  switch (how) {
    case 'ack':
      return { how, args: parts[0] === undefined ? [] : [{ result: parts[0] }] };
    case 'nack':
      return { how, args: [readOptions('nack', options ?? {}, nackRules)] };
    case 'extend':
      return { how, args: [required(durationMs())(options as number, 'ms')] };
    case 'progress':
      return { how, args: [parts[0] ?? new Uint8Array()] };
  }
}
