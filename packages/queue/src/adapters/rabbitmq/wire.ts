import { randomUUID } from 'node:crypto';
import type { ConsumeMessage, GetMessage, Options } from 'amqplib';
import type { OutgoingMessage } from '../../driver.ts';
import type { QueueType } from './options.ts';

/** Our own headers; those of the message are in one of them, as JSON, which costs less than a table and is read when it is asked for. */
const own = {
  /** Only of an id that is too long for the property. */
  id: 'ashlar-id',
  headers: 'ashlar-headers',
  key: 'ashlar-key',
  /** Counts before this copy of the message was published. */
  deliveries: 'ashlar-deliveries',
  failures: 'ashlar-failures',
  /** Milliseconds since the epoch, by the clock of the publisher. */
  expiresAt: 'ashlar-expires-at',
  reason: 'ashlar-reason',
  diedAt: 'ashlar-died-at',
} as const;

/** What a stored message says. */
export interface Stored {
  readonly id: string;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
  readonly deliveries: number;
  readonly failures: number;
  readonly expiresAt: number;
  readonly reason: string;
  readonly diedAt: number;
  readonly priority: number | undefined;
}

/** What the protocol has room for, in bytes. */
const maxProperty = 255;

type Count = 'deliveries' | 'failures' | 'expiresAt' | 'reason' | 'diedAt';
type Counts = { readonly [Name in Count]?: Stored[Name] | undefined };

/** The properties of a message, with the counts that its copy begins with. */
export function propertiesOf(
  { id, key, headers }: Pick<OutgoingMessage, 'id' | 'key' | 'headers'>,
  counts: Counts = {},
): Options.Publish {
  const table: Record<string, unknown> = { [own.headers]: JSON.stringify(headers) };
  if (key !== undefined) table[own.key] = key;
  for (const name in counts) {
    const value = counts[name as keyof Counts];
    if (value !== undefined) table[own[name as keyof Counts]] = value;
  }
  const properties: Options.Publish = { persistent: true, headers: table };
  const type = headers['content-type'];
  if (type !== undefined && fits(type)) properties.contentType = type;
  if (fits(id)) properties.messageId = id;
  else table[own.id] = id;
  return properties;
}

function fits(text: string): boolean {
  return text.length * 3 <= maxProperty || Buffer.byteLength(text) <= maxProperty;
}

/** Also of a message that another program has published: what is not as ours are, is as if it were not there. */
export function storedOf({ properties, content }: ConsumeMessage | GetMessage): Stored {
  const table: Readonly<Record<string, unknown>> = properties.headers ?? {};
  let headers: Readonly<Record<string, string>> | undefined;
  const number = (name: Count, orElse: number) => {
    const value = table[own[name]];
    return typeof value === 'number' ? value : orElse;
  };
  const string = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return {
    // Without an id, two messages would be taken for one
    id: string(table[own.id]) ?? string(properties.messageId) ?? randomUUID(),
    key: string(table[own.key]),
    get headers() {
      headers ??= headersOf(table[own.headers]);
      return headers;
    },
    contentType: string(properties.contentType),
    body: content,
    deliveries: number('deliveries', 0),
    failures: number('failures', 0),
    expiresAt: number('expiresAt', Number.POSITIVE_INFINITY),
    get reason() {
      return string(table[own.reason]) ?? `RabbitMQ: ${removalOf(table).reason ?? 'no reason given'}`;
    },
    get diedAt() {
      return number('diedAt', 1_000 * (removalOf(table).time?.value ?? 0));
    },
    priority: properties.priority,
  };
}

/** What RabbitMQ says of its last removal of a message from a queue, in seconds since the epoch. */
interface Removal {
  readonly reason?: string;
  readonly time?: { readonly value?: number };
}

function removalOf(table: Readonly<Record<string, unknown>>): Removal {
  const removals = table['x-death'];
  return Array.isArray(removals) ? ((removals[0] as Removal | undefined) ?? {}) : {};
}

/** How often the queue has handed out this copy before: a classic one says only whether it has. */
export function returnsOf({ properties, fields }: ConsumeMessage, queueType: QueueType): number {
  // Headers of a message that comes for the first time are those of its publisher, who may have copied another
  if (!fields.redelivered) return 0;
  if (queueType === 'classic') return 1;
  const { headers = {} } = properties;
  // From RabbitMQ 4.3 on the second leaves out what a handler had for longer than the server's `consumer_timeout`
  return Number(headers['x-acquired-count'] ?? headers['x-delivery-count'] ?? 0);
}

/** A quorum queue takes a message without a priority as of the fifth lowest: also those of other programs. */
const lowestOfQuorum = 4;

/** A `priority` of ours as RabbitMQ has it. */
export function priorityOf(priority: number | undefined, queueType: QueueType): number | undefined {
  if (queueType === 'classic' || priority === undefined) return priority;
  return lowestOfQuorum + priority;
}

/** JSON, or a table as earlier versions wrote it. What is no object of texts is as if it were not there. */
function headersOf(value: unknown): Readonly<Record<string, string>> {
  try {
    const found: unknown = typeof value === 'string' ? JSON.parse(value) : value;
    if (typeof found !== 'object' || found === null) return {};
    return Object.fromEntries(Object.entries(found).filter(([, value]) => typeof value === 'string'));
  } catch {
    return {};
  }
}
