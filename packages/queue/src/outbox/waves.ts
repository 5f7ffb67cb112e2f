import { type Driver, outcomeOf, type Published } from '../driver.ts';
import { QueueClosedError } from '../errors.ts';
import type { OutboxRow } from './table.ts';

export interface Relayed {
  readonly row: OutboxRow;
  readonly published: Published;
}

const maxReasonLength = 1_000;

interface Way {
  /** Whether the rows are still this relay's to publish. Asked before each wave. */
  isOpen(): boolean;
  settled(relayed: Relayed): void;
}

/**
 * Publishes rows, and calls back for each as its result is known. A message of a key is sent when the one before it is
 * confirmed, and not at all when that failed: a driver may fail one message of a batch and confirm the next. A topic does
 * not wait for another.
 */
export async function publishInWaves(driver: Driver, rows: readonly OutboxRow[], way: Way): Promise<void> {
  await Promise.all(byTopic(rows).map(ofTopic => publishTopic(driver, ofTopic, way)));
}

async function publishTopic(
  driver: Driver,
  rows: readonly OutboxRow[],
  { isOpen, settled }: Way,
): Promise<void> {
  const failed = new Set<string>();
  for (const wave of wavesOf(rows)) {
    if (!isOpen()) return;
    const open = wave.filter(({ key }) => key === undefined || !failed.has(key));
    const sent = bySettings(open).map(batch => publish(driver, batch));
    for (const each of (await Promise.all(sent)).flat()) {
      if (!each.published.ok && each.row.key !== undefined) failed.add(each.row.key);
      settled(each);
    }
  }
}

export function errorOf({ published }: Relayed): Error {
  return published.ok ? new Error('no error') : published.error;
}

/** As the database keeps it. */
export function reasonOf(relayed: Relayed): string {
  const { name, message } = errorOf(relayed);
  return `${name}: ${message}`.slice(0, maxReasonLength).replaceAll('\0', '');
}

/** Whether another attempt would meet the error again: the message is at fault, not the time. */
export function isPoison(error: Error): boolean {
  const { retryable } = error as { readonly retryable?: unknown };
  return retryable !== true && !(error instanceof QueueClosedError);
}

/** The first message of each key, the second ones, and so on. */
function wavesOf(rows: readonly OutboxRow[]): OutboxRow[][] {
  const waves: OutboxRow[][] = [];
  const seen = new Map<string, number>();
  for (const row of rows) {
    let at = 0;
    if (row.key !== undefined) {
      at = seen.get(row.key) ?? 0;
      seen.set(row.key, at + 1);
    }
    const wave = waves[at];
    if (wave === undefined) waves.push([row]);
    else wave.push(row);
  }
  return waves;
}

function byTopic(rows: readonly OutboxRow[]): OutboxRow[][] {
  return parted(rows, ({ topic }) => topic);
}

function bySettings(rows: readonly OutboxRow[]): OutboxRow[][] {
  return parted(rows, ({ settings }) => settings.allowUnrouted === true);
}

function parted(rows: readonly OutboxRow[], nameOf: (row: OutboxRow) => unknown): OutboxRow[][] {
  const parts = new Map<unknown, OutboxRow[]>();
  for (const row of rows) {
    const part = parts.get(nameOf(row));
    if (part === undefined) parts.set(nameOf(row), [row]);
    else part.push(row);
  }
  return [...parts.values()];
}

async function publish(driver: Driver, batch: readonly OutboxRow[]): Promise<Relayed[]> {
  const { topic, settings } = batch[0]!;
  let all: readonly Published[];
  try {
    all = await driver.publish(
      topic,
      batch.map(({ message }) => message),
      settings,
    );
  } catch (error) {
    // One of them may be at fault, and the others are not to be charged for it
    if (batch.length > 1 && isPoison(error as Error)) return oneByOne(driver, batch);
    all = batch.map(() => ({ ok: false, outcome: outcomeOf(error), error: error as Error }));
  }
  return batch.map((row, index) => ({ row, published: all[index]! }));
}

async function oneByOne(driver: Driver, batch: readonly OutboxRow[]): Promise<Relayed[]> {
  const all: Relayed[] = [];
  for (const row of batch) all.push(...(await publish(driver, [row])));
  return all;
}
