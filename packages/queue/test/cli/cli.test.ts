import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  ended,
  type Redis as RedisServer,
  startNats,
  startPostgres,
  startRabbit,
  startRedis,
} from '@workspace/services';
import { commandLine } from '@workspace/services/command-line';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { nats } from '../../src/adapters/nats.ts';
import { postgresDriver } from '../../src/adapters/postgres.ts';
import { rabbitmq } from '../../src/adapters/rabbitmq.ts';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import { DoNotRetryError, messages, Queue } from '../../src/index.ts';

const dist = new URL('../../dist/', import.meta.url);
const main = fileURLToPath(new URL('cli/main.js', dist));
const cli = commandLine(new URL('cli/main.js', dist));
const run = (...args: readonly string[]) => cli.run(args);

/** A module with a queue in memory that has so many dead letters. */
function config(name: string, dead: number, more = '', reason = 'no stock'): string {
  const text = `
    import { DoNotRetryError, memoryDriver, messages, Queue } from ${JSON.stringify(new URL('index.js', dist))};
    const driver = memoryDriver();
    ${more}
    export const queue = new Queue(driver, { messages: messages() });
    const subscription = await queue.subscribe('work', () => { throw new DoNotRetryError('${reason}'); });
    await queue.publishMany('work', Array.from({ length: ${dead} }, (_, n) => ({ n })));
    while ((await queue.stats('work')).dead < ${dead}) await new Promise(setImmediate);
    await subscription.close();
  `;
  return cli.file(`${name}.mjs`, text);
}

describe('the command line', () => {
  it('says what it can do', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('redrive') });
    expect(await run()).toMatchObject({ code: 2, stdout: expect.stringContaining('COMMAND --help') });
    expect(await run('redrive', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--chunk'),
    });
  });

  it.each([
    [['redrve'], 'there is no command "redrve"; did you mean redrive?'],
    [['stats'], '--topic is needed'],
    [['stats', '--topic', 'work'], '--config FILE or --url URL'],
    [['stats', '--topic', 'work', '--url', 'http://x'], 'must be a URL that begins with redis://'],
    [['stats', '--topic', 'work', '--url', 'http://x'], 'nats://, tcp:// or ipc://, got "http://x"'],
    [['stats', '--topic', 'a b', '--url', 'redis://x'], '--topic must be a name of 1 to 128 letters'],
    [['stats', '--topic', 'a', '--group', 'b/c', '--url', 'redis://x'], '--group must be a name'],
    [['stats', '--topic', 'work', '--url', 'redis://x', '--config', 'x.mjs'], 'exclude each other'],
    [['stats', '--topc', 'work'], 'did you mean --topic?'],
    [['redrive', '--topic', 'work', '--chunk', '0'], '--chunk must be an integer'],
  ])('refuses %j', async (args, said) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('says in one line what is wrong with the file or the group', async () => {
    const missing = await run('stats', '--topic', 'work', '--config', 'missing.mjs');
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('missing.mjs cannot be loaded'),
    });
    cli.file('other.mjs', 'export const other = 1;');
    const other = await run('stats', '--topic', 'work', '--config', 'other.mjs');
    expect(other).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exports other: it needs a Queue'),
    });
    const gone = await run('stats', '--topic', 'play', '--config', config('gone', 0));
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('"play" does not exist') });
    cli.file('never.mjs', 'await new Promise(() => {});');
    const never = await run('stats', '--topic', 'work', '--config', 'never.mjs');
    expect(never).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing is left that could end'),
    });
    for (const { stderr } of [missing, other, gone, never]) expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('shows a dead letter on one line, whatever its reason', async () => {
    const file = config('lines', 2, '', 'no stock:\\n\\n  of 7\\r\\nlater');
    const { stdout } = await run('dead', '--config', file, '--topic', 'work');
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('no stock: of 7 later  {"n":0}');
  });

  it('asks before it deletes', async () => {
    const file = config('purge', 3);
    const asked = await run('purge', '--config', file, '--topic', 'work', '--reason', 'stock');
    expect(asked).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('3 dead letters for good: add --yes'),
    });
    const done = await run('purge', '--config', file, '--topic', 'work', '--yes', '--json', '--limit', '2');
    expect(JSON.parse(done.stdout)).toEqual({ purged: 2, stopped: false });
  });

  it('ends a long re-drive after its chunk at Ctrl-C', async () => {
    const slow = `
      const redrive = driver.redrive.bind(driver);
      driver.redrive = async (...args) => {
        const interrupted = new Promise(resolve => process.once('SIGINT', resolve));
        process.stderr.write('chunk\\n');
        const waiting = setInterval(() => {}, 1_000);
        await interrupted;
        clearInterval(waiting);
        return redrive(...args);
      };`;
    const file = config('slow', 300, slow);
    const child = cli.start(['redrive', '--config', file, '--topic', 'work', '--chunk', '10', '--json']);
    child.stderr.once('data', () => child.kill('SIGINT'));
    const { code, stdout } = await ended(child);
    expect(code).toBe(130);
    const { redriven, dead, stopped } = JSON.parse(stdout);
    expect({ stopped, all: redriven + dead }).toEqual({ stopped: true, all: 300 });
    expect(redriven).toBe(10);
  });

  const hasTerminals = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0;
  it('shows on a terminal how far a long re-drive is', async ({ skip }) => {
    if (!hasTerminals) skip('`script` of util-linux, which makes a terminal, is not here');
    const file = config('progress', 50);
    const words = [process.execPath, main, 'redrive', '--config', file, '--topic', 'work', '--chunk', '10'];
    const line = words.map(word => `'${word}'`).join(' ');
    const child = spawn('script', ['-qec', line, '/dev/null'], {
      cwd: cli.folder,
      env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { code, stdout } = await ended(child);
    expect(code, stdout).toBe(0);
    for (const done of [10, 20, 30, 40, 50]) expect(stdout).toContain(`redrive: ${done} of 50`);
    expect(stdout).toContain('50 redriven, 0 dead letters left');
  });

  it('says how far it was when the backend fails', async () => {
    const failing = `
      const redrive = driver.redrive.bind(driver);
      let calls = 0;
      driver.redrive = async (...args) => {
        if (++calls === 3) throw new Error('connection lost');
        return redrive(...args);
      };`;
    const file = config('failing', 50, failing);
    const { code, stderr } = await run('redrive', '--config', file, '--topic', 'work', '--chunk', '10');
    expect(code).toBe(1);
    expect(stderr).toContain('20 of 50 are done; the same command goes on with the rest');
    expect(stderr).toContain('connection lost');
  });
});

it('reaches a broker over ZeroMQ, and pauses a group there', async () => {
  const broker = await startBroker({ bind: 'tcp://127.0.0.1:*' });
  onTestFinished(() => broker.close());
  await using queue = new Queue(zeromq({ connect: broker.endpoint }), {
    messages: messages<{ work: { n: number } }>(),
  });
  await queue.declare('work');
  const at = ['--url', broker.endpoint, '--topic', 'work'];
  expect(await run('pause', ...at)).toMatchObject({ code: 0, stdout: 'work, group default: paused\n' });
  const seen: number[] = [];
  await queue.subscribe('work', ({ n }) => void seen.push(n));
  await queue.publish('work', { n: 1 });
  const stats = await run('stats', ...at, '--json');
  expect(JSON.parse(stats.stdout)).toMatchObject({ waiting: 1, active: 0 });
  expect(seen).toEqual([]);
  expect(await run('resume', ...at, '--json')).toMatchObject({ code: 0 });
  await expect.poll(() => seen, { timeout: 10_000 }).toEqual([1]);
});

describeWith('nats', 'the command line on NATS', () => {
  it('counts the messages of a group, and says what the driver cannot do', async () => {
    const server = await startNats();
    onTestFinished(() => server.stop());
    const connection = { servers: `127.0.0.1:${server.port}` };
    const driver = nats({ connection, prefix: 'cli' });
    await using queue = new Queue(driver, { messages: messages<{ work: { n: number } }>() });
    await queue.declare('work');
    await queue.publish('work', { n: 1 });
    const at = ['--url', `nats://127.0.0.1:${server.port}`, '--prefix', 'cli', '--topic', 'work'];
    const stats = await run('stats', ...at, '--json');
    expect(JSON.parse(stats.stdout || '{}'), stats.stderr).toMatchObject({ waiting: 1, dead: 0 });
    if (driver.pause !== undefined) return;
    const paused = await run('pause', ...at);
    expect(paused).toMatchObject({ code: 1, stderr: expect.stringContaining('`pause` needs a pause') });
  });
});

describeWith('postgres', 'the command line on PostgreSQL', () => {
  it('counts the messages of a group, pauses it, and ends', async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    const pool = new pg.Pool({ connectionString: server.url });
    pool.on('error', () => {}); // The end of the server may come before that of its sessions
    onTestFinished(() => pool.end());
    const driver = postgresDriver({ pool, prefix: 'cli', durability: 'asynchronous' });
    await driver.migrate();
    await using queue = new Queue(driver, { messages: messages<{ work: { n: number } }>() });
    await queue.declare('work');
    await queue.publish('work', { n: 1 });
    const at = ['--url', server.url, '--prefix', 'cli', '--topic', 'work'];
    const stats = await run('stats', ...at, '--json');
    expect(JSON.parse(stats.stdout || '{}'), stats.stderr).toMatchObject({ waiting: 1, dead: 0 });
    expect(await run('pause', ...at)).toMatchObject({ code: 0 });
  });
});

describeWith({ own: 'rabbitmq' }, 'the command line on RabbitMQ', () => {
  it('counts, lists dead letters, redrives and deletes them', async () => {
    const server = await startRabbit({ own: true });
    onTestFinished(() => server.stop());
    const driver = rabbitmq({ url: server.url, prefix: 'cli' });
    await using queue = new Queue(driver, { messages: messages<{ work: { n: number } }>() });
    let isDown = true;
    await queue.subscribe('work', () => {
      if (isDown) throw new DoNotRetryError('no stock');
    });
    const ids = ['m1', 'm2', 'm3'];
    await queue.publishMany(
      'work',
      ids.map(() => ({ n: 1 })),
      (_, n) => ({ id: ids[n]! }),
    );
    await expect.poll(async () => (await queue.stats('work')).dead, { timeout: 30_000 }).toBe(3);
    isDown = false;
    const at = ['--url', server.url, '--prefix', 'cli', '--topic', 'work'];
    const stats = await run('stats', ...at, '--json');
    expect(JSON.parse(stats.stdout || '{}'), stats.stderr).toMatchObject({
      ...{ topic: 'work', waiting: 0, dead: 3, consumers: 1 },
    });
    const listed = await run('dead', ...at, '--id', 'm1', '--json');
    expect(JSON.parse(listed.stdout || '{}'), listed.stderr).toMatchObject({
      ...{ id: 'm1', payload: { n: 1 }, failures: 1, reason: expect.stringContaining('no stock') },
    });
    const none = await run('redrive', ...at, '--id', 'm4');
    expect(none).toMatchObject({ code: 0, stdout: '0 redriven, 3 dead letters left\n' });
    const one = await run('redrive', ...at, '--id', 'm2', '--json');
    expect(JSON.parse(one.stdout || '{}'), one.stderr).toEqual({ redriven: 1, dead: 2, stopped: false });
    await expect.poll(() => queue.snapshot().subscriptions[0]?.handled, { timeout: 30_000 }).toBe(1);
    expect(await run('purge', ...at, '--id', 'm1', '--yes')).toMatchObject({ code: 0 });
    const rest = await run('dead', ...at, '--json');
    expect(JSON.parse(rest.stdout || '{}'), rest.stderr).toMatchObject({ id: 'm3' });
    expect(await run('purge', ...at, '--yes')).toMatchObject({ code: 0 });
    expect(await run('dead', ...at)).toMatchObject({ code: 0, stdout: 'no dead letters\n' });
    await server.stop();
    const gone = await run('stats', ...at);
    expect(gone).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no connection to RabbitMQ within/),
    });
  }, 120_000);
});

describeWith('redis', 'the command line on Redis', () => {
  let server: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    client = new Redis(server.port);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  it('counts, lists, redrives some, and pauses where the driver can', async () => {
    const driver = redisStreams({ redis: client });
    await using queue = new Queue(driver, { messages: messages<{ work: { n: number } }>() });
    let isDown = true;
    const options = { group: 'billing', concurrency: 1 };
    await queue.subscribe(
      'work',
      ({ n }) => {
        if (isDown) throw new DoNotRetryError(n % 2 === 0 ? 'no stock' : 'no \u001b[31mfunds');
      },
      options,
    );
    await queue.publishMany(
      'work',
      Array.from({ length: 20 }, (_, n) => ({ n })),
      (_, n) => ({ id: `m${n}` }),
    );
    await expect.poll(async () => (await queue.stats('work', 'billing')).dead, { timeout: 10_000 }).toBe(20);
    isDown = false;

    const at = ['--url', `redis://127.0.0.1:${server.port}`, '--topic', 'work', '--group', 'billing'];
    const stats = await run('stats', ...at, '--json');
    expect(stats.stderr).toBe('');
    expect(JSON.parse(stats.stdout)).toEqual({
      ...{ topic: 'work', group: 'billing', waiting: 0, delayed: 0, active: 0, dead: 20 },
    });
    const listed = await run('dead', ...at, '--limit', '3', '--reason', 'stock', '--json');
    const letters = listed.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(letters).toMatchObject([{ id: 'm0', payload: { n: 0 }, failures: 1 }, { id: 'm2' }, { id: 'm4' }]);
    const shown = await run('dead', ...at, '--id', 'm1');
    expect(shown.stdout).toContain('no  [31mfunds');

    const some = await run('redrive', ...at, '--reason', 'stock', '--chunk', '3');
    expect(some).toMatchObject({ code: 0, stdout: '10 redriven, 10 dead letters left\n' });
    const rest = await run('redrive', ...at, '--json');
    expect(JSON.parse(rest.stdout)).toEqual({ redriven: 10, dead: 0, stopped: false });
    await expect.poll(() => queue.snapshot().subscriptions[0]?.handled, { timeout: 10_000 }).toBe(20);
    expect(await run('dead', ...at)).toMatchObject({ code: 0, stdout: 'no dead letters\n' });

    const mistyped = [...at, '--group', 'biling'];
    for (const command of [['stats'], ['dead'], ['dead', '--json'], ['redrive'], ['purge', '--yes']]) {
      const wrong = await run(...command, ...mistyped);
      expect(wrong, command.join(' ')).toMatchObject({ code: 1, stdout: '' });
      expect(wrong.stderr).toContain('group "biling" of topic "work" does not exist');
    }

    const paused = await run('pause', ...at);
    if (driver.pause === undefined) {
      expect(paused).toMatchObject({ code: 1, stderr: expect.stringContaining('`pause` needs a pause') });
    } else {
      expect(paused).toMatchObject({ code: 0, stdout: 'work, group billing: paused\n' });
      expect((await run('resume', ...at)).code).toBe(0);
    }
  });

  it('fails in one line where there is no server', async () => {
    const schemes = ['redis', 'nats', 'tcp', 'postgres', 'amqp'];
    const ends = schemes.map(scheme => run('stats', '--url', `${scheme}://127.0.0.1:1`, '--topic', 'work'));
    for (const [index, { code, stderr }] of (await Promise.all(ends)).entries()) {
      expect({ code, stderr }, schemes[index]).toEqual({
        code: 1,
        stderr: expect.stringMatching(/^stats: .+\n$/),
      });
    }
  });
});
