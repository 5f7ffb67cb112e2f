import { type Driver, outcomeOf, type Published } from '../driver.ts';
import type { OutboxRow } from './table.ts';

export interface Relayed {
  readonly row: OutboxRow;
  readonly published: Published;
}

interface Way {
  /** Whether the rows are still this relay's to publish. Asked before each wave. */
  isOpen(): boolean;
  settled(relayed: Relayed): void;
}

/**
 * Publishes rows, and calls back for each as its result is known. A message of a key is sent when the one before it is
 * confirmed, and not at all when that failed: a driver may fail one message of a batch and confirm the next.
 */
export async function publishInWaves(
  driver: Driver,
  rows: readonly OutboxRow[],
  { isOpen, settled }: Way,
): Promise<void> {
  const failed = new Set<string>();
  for (const wave of wavesOf(rows)) {
    if (!isOpen()) return;
    const open = wave.filter(row => row.key === undefined || !failed.has(nameOf(row)));
    const sent = byTopic(open).map(batch => publish(driver, batch));
    for (const each of (await Promise.all(sent)).flat()) {
      if (!each.published.ok && each.row.key !== undefined) failed.add(nameOf(each.row));
      settled(each);
    }
  }
}

/** The first message of each key, the second ones, and so on. */
function wavesOf(rows: readonly OutboxRow[]): OutboxRow[][] {
  const waves: OutboxRow[][] = [];
  const seen = new Map<string, number>();
  for (const row of rows) {
    let at = 0;
    if (row.key !== undefined) {
      at = seen.get(nameOf(row)) ?? 0;
      seen.set(nameOf(row), at + 1);
    }
    const wave = waves[at];
    if (wave === undefined) waves.push([row]);
    else wave.push(row);
  }
  return waves;
}

function nameOf({ topic, key }: OutboxRow): string {
  return `${topic} ${key}`;
}

function byTopic(rows: readonly OutboxRow[]): OutboxRow[][] {
  const batches = new Map<string, OutboxRow[]>();
  for (const row of rows) {
    const name = `${row.topic} ${row.settings.allowUnrouted === true}`;
    const batch = batches.get(name);
    if (batch === undefined) batches.set(name, [row]);
    else batch.push(row);
  }
  return [...batches.values()];
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
    all = batch.map(() => ({ ok: false, outcome: outcomeOf(error), error: error as Error }));
  }
  return batch.map((row, index) => ({ row, published: all[index]! }));
}
