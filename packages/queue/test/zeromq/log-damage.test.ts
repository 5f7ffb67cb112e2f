import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeFrame } from '../../src/adapters/zeromq/log/frames.ts';
import { openState } from '../../src/adapters/zeromq/log/logged-driver.ts';
import { startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import { QueueUnavailableError, UnsafeBackendError } from '../../src/index.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'queue-damage-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const start = (directory: string) => startBroker({ bind: 'tcp://127.0.0.1:*', log: { directory } });

/** A log with so many messages, each confirmed before the next. */
async function logOf(count: number): Promise<{ readonly directory: string; readonly file: string }> {
  const directory = join(root, 'log');
  await using broker = await start(directory);
  await using driver = zeromq({ connect: broker.endpoint, durable: true });
  await driver.declare('work', 'group');
  for (let n = 0; n < count; n++) {
    const message = { id: `n${n}`, body: Buffer.from(`body of ${n}`), headers: {} };
    expect(await driver.publish('work', [message])).toEqual([{ ok: true }]);
  }
  return { directory, file: join(directory, '00000001.log') };
}

it.skipIf(process.platform !== 'linux')(
  'says at once that a log cannot be where no directory can be made',
  async () => {
    for (const directory of ['/proc/none/log', '/sys/log', '/dev/null']) {
      await expect(start(directory)).rejects.toMatchObject({
        code: QueueUnavailableError.code,
        outcome: 'NotExecuted',
        message: expect.stringContaining(`the log in ${directory} cannot be used: `),
      });
    }
  },
);

it('says at once that a log cannot be in place of a file, below one, or over one', async () => {
  await writeFile(join(root, 'file'), '');
  await mkdir(join(root, 'log', '00000001.log'), { recursive: true });
  for (const name of ['file', join('file', 'log'), 'log', 'x'.repeat(300)]) {
    await expect(start(join(root, name))).rejects.toThrow(QueueUnavailableError);
  }
});

it('refuses a log that is damaged among what was confirmed, and takes nothing from it', async () => {
  const { directory, file } = await logOf(20);
  const whole = await readFile(file);
  for (const share of [0.1, 0.5, 0.8]) {
    const at = Math.floor(whole.length * share);
    for (const damage of ['a bit', 'a hole', 'a missing piece']) {
      const bytes = Buffer.from(whole);
      if (damage === 'a bit') bytes[at]! ^= 4;
      if (damage === 'a hole') bytes.fill(0, at, at + 50);
      const left =
        damage === 'a missing piece' ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 7)]) : bytes;
      await writeFile(file, left);
      await expect(start(directory), `${damage} at ${at}`).rejects.toThrow(UnsafeBackendError);
      expect((await stat(file)).size).toBe(left.length);
    }
  }
  await writeFile(file, whole);
  await using _again = await start(directory);
});

it('drops what a crash has left of the last write, with holes in it', async () => {
  const { directory, file } = await logOf(5);
  const whole = await readFile(file);
  // Pages of one write come to the disk in any order
  const lost = encodeFrame(['declared', 'work', 'lost']);
  await writeFile(file, Buffer.concat([whole, Buffer.alloc(4_096), lost, lost]));
  await using broker = await start(directory);
  expect(broker.snapshot().tornBytes).toBe(4_096 + 2 * lost.length);
  await using driver = zeromq({ connect: broker.endpoint, durable: true });
  expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 5 });
});

it('has a message in all groups or in none, at whatever byte the broker was killed as it wrote', async () => {
  const groups = ['first', 'second', 'third'];
  const directory = join(root, 'log');
  const file = join(directory, '00000001.log');
  const messages = ['plain', 'of a key'].map((id, n) => ({
    id,
    body: Buffer.from('text'),
    headers: {},
    ...(n === 1 && { key: 'a key' }),
  }));
  let declared: number;
  {
    await using broker = await start(directory);
    await using driver = zeromq({ connect: broker.endpoint, durable: true });
    for (const group of groups) await driver.declare('work', group);
    declared = (await stat(file)).size;
    expect(await driver.publish('work', messages)).toEqual([{ ok: true }, { ok: true }]);
  }
  const whole = await readFile(file);
  const [many, never] = [1_000, 3_600_000];
  const limits = { maxMessages: many, maxDead: many, maxResults: many, maxIds: many };
  const options = { leaseMs: never, deduplicationMs: never, ...limits };
  const log = { directory, fsync: false, compactAtBytes: 2 ** 20, maxWaitingBytes: 2 ** 20 };
  const counts = new Set<number>();
  for (let bytes = declared; bytes <= whole.length; bytes++) {
    await writeFile(file, whole.subarray(0, bytes));
    const state = await openState(options, log);
    const waiting = await Promise.all(
      groups.map(async group => (await state.driver.stats('work', group)).waiting),
    );
    await state[Symbol.asyncDispose]();
    expect(new Set(waiting).size, `${bytes} of ${whole.length} bytes: ${waiting}`).toBe(1);
    counts.add(waiting[0]!);
  }
  expect(counts).toEqual(new Set([0, 1, 2]));
});

it('refuses a log with records of a later version', async () => {
  const { directory, file } = await logOf(1);
  await writeFile(
    file,
    Buffer.concat([await readFile(file), encodeFrame(['translated', 'work', 'group', 'n0'])]),
  );
  await expect(start(directory)).rejects.toThrow(/records that this version does not know/);
});

it('refuses a snapshot whose end is missing', async () => {
  const { directory } = await logOf(1);
  await writeFile(join(directory, '00000002.snapshot'), encodeFrame(['declared', 'work', 'group']));
  await expect(start(directory)).rejects.toThrow(/00000002\.snapshot in .+ is damaged/);
});

it('gives the log to one of several brokers that begin at once, also beside the remains of a dead one', async () => {
  const directory = join(root, 'log');
  const { path, program } = await lockOfTheDead(directory);
  expect(program.signalCode).toBe('SIGKILL');
  await expect(once(connect(path), 'connect')).rejects.toThrow(/ECONNREFUSED/);
  const brokers = await Promise.allSettled(Array.from({ length: 8 }, () => start(directory)));
  expect((await readdir(directory)).filter(name => name.endsWith('.sock')).length).toBe(1);
  const started = brokers.filter(({ status }) => status === 'fulfilled');
  for (const broker of brokers) if (broker.status === 'fulfilled') await broker.value.close();
  expect(started.length).toBe(1);
  for (const broker of brokers) {
    if (broker.status === 'rejected') expect(broker.reason.message).toMatch(/another broker has the log/);
  }
});

it('is not begun twice by processes that have no temporary directory in common', async () => {
  const directory = join(root, 'log');
  await using _broker = await start(directory);
  const text = `
    import { startBroker } from '@ashlar/queue/zeromq';
    const log = { directory: ${JSON.stringify(directory)} };
    await startBroker({ bind: 'tcp://127.0.0.1:*', log }).catch(error => console.log(error.message));
    process.exit();
  `;
  const child = spawn(
    process.execPath,
    ['--conditions=@ashlar/source', '--import=tsx', '--input-type=module', '-e', text],
    { cwd: join(import.meta.dirname, '../..'), env: { ...process.env, TMPDIR: root }, stdio: 'pipe' },
  );
  let said = '';
  child.stdout.on('data', piece => {
    said += piece;
  });
  await once(child, 'close');
  expect(said).toMatch(/another broker has the log/);
});

/** Kills a process that has the lock. */
async function lockOfTheDead(directory: string) {
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'broker-00000000.sock');
  const text = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'))`;
  const program = spawn(process.execPath, ['-e', text], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(program.stdout, 'data');
  program.kill('SIGKILL');
  await once(program, 'exit');
  return { path, program };
}
