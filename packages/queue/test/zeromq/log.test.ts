import { cp, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type BrokerState, openState } from '../../src/adapters/zeromq/log/logged-driver.ts';
import type { Delivery, OutgoingMessage } from '../../src/index.ts';

const settings = {
  leaseMs: 60_000,
  maxMessages: 1_000_000,
  maxDead: 1_000,
  maxResults: 1_000,
  deduplicationMs: 300_000,
  maxIds: 100_000,
};
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'queue-log-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

function open(name = 'log', compactAtBytes = 2 ** 26): Promise<BrokerState> {
  return openState(settings, {
    directory: join(root, name),
    fsync: true,
    compactAtBytes,
    maxWaitingBytes: 2 ** 26,
  });
}

function message(id: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { id, body: Buffer.from(`body of ${id}`), headers: { 'ce-type': 'work' }, ...more };
}

async function publish({ driver }: BrokerState, ...messages: OutgoingMessage[]): Promise<void> {
  for (const published of await driver.publish('work', messages))
    expect(published).toMatchObject({ ok: true });
}

/** Takes so many messages. */
async function take({ driver }: BrokerState, count: number, group = 'group'): Promise<Delivery[]> {
  const stop = new AbortController();
  const taken: Delivery[] = [];
  for await (const delivery of driver.consume('work', group, { prefetch: count, signal: stop.signal })) {
    taken.push(delivery);
    if (taken.length === count) break;
  }
  stop.abort();
  return taken;
}

function receiptOf(delivery: Delivery): number {
  return (delivery as Delivery & { readonly receipt: number }).receipt;
}

async function stateOf({ driver }: BrokerState, ids: readonly string[]): Promise<unknown> {
  const jobs = await Promise.all(ids.map(id => driver.find('work', 'group', id)));
  const dead = await driver.inspect('work', 'group', { limit: 100 });
  return JSON.parse(JSON.stringify({ jobs, dead, stats: await driver.stats('work', 'group') }));
}

it('goes on where the other ended: waiting, delayed, in hands, failed, dead, done, paused', async () => {
  const first = await open();
  await first.driver.declare('work', 'group');
  await first.driver.declare('work', 'other');
  const ids = ['held', 'failed', 'buried', 'done', 'lost', 'waiting', 'delayed'];
  await publish(first, ...ids.slice(0, 6).map(id => message(id)), message('delayed', { delayMs: 3_600_000 }));
  const [held, failed, buried, done, lost] = await take(first, 5);
  await held!.progress!(new TextEncoder().encode('half'));
  await failed!.nack({ requeueAfterMs: 3_600_000 });
  await buried!.nack({ dead: 'no such order' });
  await done!.ack({ result: new TextEncoder().encode('receipt') });
  await lost!.ack();
  await first.driver.pause('work', 'other');
  const before = await stateOf(first, ids);
  await first[Symbol.asyncDispose]();

  const second = await open();
  expect(await stateOf(second, ids)).toEqual(before);
  expect((await second.driver.stats('work', 'other')).waiting).toBe(6);
  // What was in hands is still: its consumer settles it
  await second.driver.held('work', 'group', receiptOf(held!))!.ack();
  expect(await second.driver.find('work', 'group', 'held')).toBeUndefined();
  expect(await second.driver.publish('work', [message('lost')])).toEqual([{ ok: true, isDuplicate: true }]);
  const [next] = await take(second, 1);
  expect([next!.id, Buffer.from(next!.body).toString(), next!.deliveries]).toEqual([
    'waiting',
    'body of waiting',
    1,
  ]);
  expect(receiptOf(next!)).toBeGreaterThan(receiptOf(held!));
  await second.driver.redrive('work', 'group', {});
  expect((await take(second, 1))[0]).toMatchObject({ id: 'buried', deliveries: 1 });
  await second[Symbol.asyncDispose]();
});

it('keeps the keys of deduplication, and frees them with their messages', async () => {
  const first = await open();
  await first.driver.declare('work', 'group');
  const simple = { key: 'report', mode: 'simple' } as const;
  const throttle = { key: 'alert', mode: 'throttle', ttlMs: 3_600_000 } as const;
  await publish(first, message('a', { deduplication: simple }), message('b', { deduplication: throttle }));
  for (const delivery of await take(first, 2)) if (delivery.id === 'b') await delivery.ack();
  await first[Symbol.asyncDispose]();
  const second = await open();
  const again = [message('c', { deduplication: simple }), message('d', { deduplication: throttle })];
  const dropped = { ok: true, isDuplicate: true };
  expect(await second.driver.publish('work', again)).toEqual([dropped, dropped]);
  await second.driver.cancel('work', 'group', 'a');
  expect(await second.driver.publish('work', [message('e', { deduplication: simple })])).toEqual([
    { ok: true },
  ]);
  await second[Symbol.asyncDispose]();
});

it('reads a log that ends at any byte as what was kept until there', async () => {
  const first = await open();
  const ids = ['a', 'b', 'c'];
  const file = join(root, 'log', '00000001.log');
  const states: { readonly size: number; readonly state: unknown }[] = [];
  const note = async () => {
    await first.driver.declare('work', 'group');
    states.push({ size: (await stat(file)).size, state: await stateOf(first, ids) });
  };
  await note();
  for (const id of ids) {
    await publish(first, message(id));
    await note();
  }
  const [a, b] = await take(first, 2);
  await note();
  await a!.ack();
  await note();
  await b!.nack({ dead: 'no' });
  await note();
  await first[Symbol.asyncDispose]();
  const whole = await readFile(file);
  expect(states.at(-1)!.size).toBe(whole.length);
  for (let cut = states[2]!.size; cut <= whole.length; cut++) {
    const name = `cut-${cut}`;
    await cp(join(root, 'log'), join(root, name), { recursive: true });
    await truncate(join(root, name, '00000001.log'), cut);
    const state = await open(name);
    const possible = states.filter(({ size }) => size <= cut).at(-1)!;
    const found = await stateOf(state, ids);
    // Between them, one of the two that were taken is in hands
    if (states.some(({ size }) => size === cut)) expect(found).toEqual(possible.state);
    expect(state.tornBytes).toBeLessThan(200);
    await publish(state, message('later'));
    await state[Symbol.asyncDispose]();
    const again = await open(name);
    expect(again.tornBytes).toBe(0);
    expect(await again.driver.find('work', 'group', 'later')).toMatchObject({ state: 'waiting' });
    const jobs = await Promise.all(ids.map(id => again.driver.find('work', 'group', id)));
    const expected = (possible.state as { readonly jobs: readonly unknown[] }).jobs;
    expect(jobs.map(job => job === undefined || job === null)).toEqual(expected.map(job => job === null));
    await again[Symbol.asyncDispose]();
    await rm(join(root, name), { recursive: true });
  }
}, 300_000);

it('drops a last record whose bytes are wrong', async () => {
  const first = await open();
  await first.driver.declare('work', 'group');
  await publish(first, message('a'));
  await publish(first, message('b'));
  await first[Symbol.asyncDispose]();
  const file = join(root, 'log', '00000001.log');
  const bytes = await readFile(file);
  bytes[bytes.length - 3]! ^= 1;
  await writeFile(file, bytes);
  const second = await open();
  expect(second.tornBytes).toBeGreaterThan(0);
  expect(await second.driver.find('work', 'group', 'a')).toMatchObject({ state: 'waiting' });
  expect(await second.driver.find('work', 'group', 'b')).toBeUndefined();
  await second[Symbol.asyncDispose]();
});

it('leaves out what was settled, while messages come and go, and refuses a log that is damaged within', async () => {
  const first = await open('log', 20_000);
  await first.driver.declare('work', 'group');
  await publish(first, message('old'), message('delayed', { delayMs: 3_600_000 }));
  const [old] = await take(first, 1);
  let written = 0;
  for (let round = 0; round < 40; round++) {
    const batch = Array.from({ length: 100 }, (_, index) => message(`${round}-${index}`));
    await publish(first, ...batch);
    written += batch.length * 200;
    const taken = await take(first, 100);
    await Promise.all(taken.map(delivery => delivery.ack()));
  }
  await first[Symbol.asyncDispose]();
  const names = await readdir(join(root, 'log'));
  const sizes = await Promise.all(names.map(async name => (await stat(join(root, 'log', name))).size));
  expect(names.some(name => name.endsWith('.snapshot'))).toBe(true);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(written / 2);
  const second = await open('log', 20_000);
  expect(await second.driver.stats('work', 'group')).toEqual({ waiting: 0, delayed: 1, active: 1, dead: 0 });
  await second.driver.held('work', 'group', receiptOf(old!))!.ack();
  expect(await second.driver.publish('work', [message('39-99')])).toMatchObject([{ isDuplicate: true }]);
  await second[Symbol.asyncDispose]();

  // The second may have made a snapshot of its own
  const left = await readdir(join(root, 'log'));
  const snapshot = join(root, 'log', left.find(name => name.endsWith('.snapshot'))!);
  const bytes = await readFile(snapshot);
  bytes[30]! ^= 1;
  await writeFile(snapshot, bytes);
  await expect(open()).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_UNSAFE_BACKEND' });
}, 300_000);

it('belongs to one broker at a time', async () => {
  await using _first = await open();
  await expect(open()).rejects.toThrow(/another broker has the log/);
});

it('belongs to one broker at a time, also by a shorter name than a socket can have', async () => {
  const long = 'l'.repeat(90);
  await using _first = await open(long);
  await symlink(join(root, long), join(root, 'short'));
  await expect(open('short')).rejects.toThrow(/another broker has the log/);
});
