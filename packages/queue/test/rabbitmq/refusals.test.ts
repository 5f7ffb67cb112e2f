import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { InvalidOptionError } from '@ashlar/core';
import { describeWith } from '@workspace/services/vitest';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RabbitmqOptions, rabbitmq } from '../../src/adapters/rabbitmq.ts';
import {
  type Delivery,
  type Driver,
  messages,
  type OutgoingMessage,
  Queue,
  QueueTimeoutError,
  QueueUnavailableError,
  UnroutedError,
} from '../../src/index.ts';
import { certificate, type GuardedServer, maxMessageBytes, startGuarded } from './server.ts';

/** Longer than any test: what waits for it has not seen the refusal. */
const timeoutMs = 100_000;

describeWith({ own: 'rabbitmq' }, 'what RabbitMQ refuses', () => {
  let guarded: GuardedServer;
  beforeAll(async () => {
    guarded = await startGuarded();
  }, 120_000);
  afterAll(() => guarded?.server.stop());

  const open = (url: RabbitmqOptions['url'], more: Partial<RabbitmqOptions> = {}): Driver =>
    rabbitmq({ url, prefix: randomUUID(), timeoutMs, ...more } as RabbitmqOptions);
  const message = (id: string, more: Partial<OutgoingMessage> = {}) => ({
    ...{ id, body: Buffer.from(id), headers: {} },
    ...more,
  });
  /** The next delivery, acknowledged. */
  const take = async (driver: Driver): Promise<Delivery> => {
    const stop = new AbortController();
    for await (const each of driver.consume('topic', 'group', { prefetch: 1, signal: stop.signal })) {
      await each.ack();
      return each;
    }
    throw new Error('none came');
  };
  const refusal = async (work: Promise<unknown>): Promise<QueueUnavailableError> => {
    const error = await work.then(
      () => undefined,
      thrown => thrown,
    );
    expect(error).toBeInstanceOf(QueueUnavailableError);
    expect(error).not.toBeInstanceOf(QueueTimeoutError);
    return error;
  };

  it.each([
    ['a wrong password', () => guarded.at('all', { password: 'wrong' }), /"all".*ACCESS_REFUSED/],
    ['a vhost that is not there', () => guarded.at('all', { vhost: 'nowhere' }), /"all".*vhost "nowhere"/],
  ])('says so at once, for each call: %s', async (_, url, said) => {
    await using driver = open(url());
    for (const work of [() => driver.declare('topic', 'group'), () => driver.probe!('topic', 'group')]) {
      const error = await refusal(work());
      expect(error.message).toMatch(said);
      expect(error.message).not.toContain('wrong');
      expect(error.outcome).toBe('NotExecuted');
    }
    const [published] = await driver.publish('topic', [message('one')]);
    expect(published).toMatchObject({ ok: false, outcome: 'NotExecuted' });
    const stop = new AbortController();
    const consuming = (async () => {
      for await (const _ of driver.consume('topic', 'group', { prefetch: 1, signal: stop.signal })) return;
    })();
    expect((await refusal(consuming)).message).toMatch(said);
  });

  it('takes the next host when one refuses', async () => {
    await using driver = open([guarded.at('all', { password: 'wrong' }), guarded.at('all')]);
    await driver.declare('topic', 'group');
    expect(await driver.publish('topic', [message('one')])).toEqual([{ ok: true }]);
  });

  it('says why there is no connection when the time is over', async () => {
    await using driver = open('amqp://127.0.0.1:1', { timeoutMs: 300 });
    const error = await refusal(driver.declare('topic', 'group'));
    expect(error.message).toContain('ECONNREFUSED');
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('says what a user may not do, and leaves the connection as it is', async () => {
    const prefix = randomUUID();
    await using mine = open(guarded.at('all'), { prefix });
    await mine.declare('topic', 'group');
    await using theirs = open(guarded.at('nobody'), { prefix });
    expect((await refusal(theirs.declare('topic', 'other'))).message).toMatch(/ACCESS_REFUSED.*nobody/s);
    const [published] = await theirs.publish('topic', [message('one')]);
    expect(published).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining('ACCESS_REFUSED') },
    });
    const stop = new AbortController();
    const consuming = (async () => {
      const options = { prefetch: 1, signal: stop.signal };
      for await (const _ of theirs.consume('topic', 'group', options)) return;
    })();
    expect((await refusal(consuming)).message).toContain('ACCESS_REFUSED');
  });

  it('publishes for a user who may only write', async () => {
    const prefix = randomUUID();
    await using mine = open(guarded.at('all'), { prefix });
    await mine.declare('topic', 'group');
    await using writer = open(guarded.at('writer'), { prefix });
    expect(await writer.publish('topic', [message('one')])).toEqual([{ ok: true }]);
    expect((await take(mine)).id).toBe('one');
    const [unrouted] = await writer.publish('nobody-declared-it', [message('two')]);
    expect(unrouted).toMatchObject({ ok: false, outcome: 'NotExecuted', error: expect.any(UnroutedError) });
  });

  it('shows in health() that a password is no longer right', async () => {
    let password = 'all';
    const url = () => guarded.at('all', { password });
    const driver = open(url, { timeoutMs: 5_000 });
    await using queue = new Queue(driver, { messages: messages<{ topic: number }>() });
    const handled: number[] = [];
    await queue.subscribe('topic', n => void handled.push(n), { group: 'group' });
    password = 'wrong';
    await cutAll(guarded);
    await expect
      .poll(() => queue.health().subscriptions[0]?.reason, { timeout: 20_000 })
      .toMatch(/ACCESS_REFUSED/);
    await expect(queue.publish('topic', 1)).rejects.toThrow(/ACCESS_REFUSED/);
    password = 'all';
    await expect
      .poll(() => queue.publish('topic', 2).catch(() => undefined), { timeout: 20_000 })
      .toBeDefined();
    await expect.poll(() => handled, { timeout: 20_000 }).toContain(2);
    await expect.poll(() => queue.health().ok, { timeout: 20_000 }).toBe(true);
  });

  it('asks for the address again for each connection, and says what is wrong with it', async () => {
    let calls = 0;
    await using driver = open(async () => {
      calls++;
      if (calls === 1) throw new Error('the vault is sealed');
      return calls === 2 ? 'http://not-a-broker' : guarded.at('all');
    });
    await expect(driver.declare('topic', 'group')).rejects.toThrow(InvalidOptionError);
    await driver.declare('topic', 'group');
    expect(calls).toBe(3);
    await using wrong = open(() => 'http://not-a-broker');
    const [published] = await wrong.publish('topic', [message('one')]);
    const error = expect.any(InvalidOptionError);
    expect(published).toEqual({ ok: false, outcome: 'NotExecuted', error });
  });

  it('speaks TLS with an authority of its own, and says that one is not known', async () => {
    const url = `amqps://all:all@127.0.0.1:${guarded.tlsPort}`;
    await using strange = open(url);
    expect((await refusal(strange.declare('topic', 'group'))).message).toMatch(/self.signed certificate/);
    await using driver = open(url, { socket: { ca: readFileSync(certificate) } });
    await driver.declare('topic', 'group');
    expect(await driver.publish('topic', [message('one')])).toEqual([{ ok: true }]);
    expect((await take(driver)).id).toBe('one');
    await using plain = open(`amqps://all:all@127.0.0.1:${guarded.server.port}`);
    await refusal(plain.declare('topic', 'group'));
  });

  it('says what differs when a group exists with other options', async () => {
    const prefix = randomUUID();
    await using first = open(guarded.at('all'), { prefix, maxMessages: 10 });
    await first.declare('topic', 'group');
    await using second = open(guarded.at('all'), { prefix, maxMessages: 20 });
    const error = await second.declare('topic', 'group').catch(thrown => thrown);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ option: 'maxMessages' });
    expect(error.message).toMatch(/`maxMessages` must be 10.*got 20/);
    await using third = open(guarded.at('all'), { prefix, maxMessages: 10, maxDead: 5 });
    await expect(third.declare('topic', 'group')).rejects.toMatchObject({ option: 'maxDead' });
    // Another topic of the same driver is not held up by it
    await second.declare('other', 'group');
  });

  it('says so when an exchange of that name is of another kind', async () => {
    const prefix = randomUUID();
    await asAdmin(guarded, channel => channel.assertExchange(`${prefix}:topic`, 'direct'));
    await using driver = open(guarded.at('all'), { prefix });
    expect((await refusal(driver.declare('topic', 'group'))).message).toMatch(/inequivalent arg 'type'/);
  });

  it('refuses a body larger than the server allows, and no other message', async () => {
    await using driver = open(guarded.at('all'));
    await driver.declare('topic', 'group');
    const large = message('large', { body: Buffer.alloc(maxMessageBytes + 1) });
    const small = Array.from({ length: 20 }, (_, n) => message(`small-${n}`));
    const first = await driver.publish('topic', [...small.slice(0, 10), large, ...small.slice(10)]);
    expect(first[10]).toMatchObject({ ok: false, outcome: 'NotExecuted' });
    expect((first[10] as { error: Error }).error.message).toMatch(/100001.*100000/);
    for (const each of first.slice(11)) expect(each).toMatchObject({ ok: false, outcome: 'NotExecuted' });
    // From now on it is known, and costs the others nothing
    const again = await driver.publish('topic', [...small, large]);
    expect(again.slice(0, 20).every(({ ok }) => ok)).toBe(true);
    expect(again[20]).toMatchObject({ ok: false, outcome: 'NotExecuted' });
  });

  it('takes the longest id, and refuses headers and delays that RabbitMQ cannot keep', async () => {
    await using driver = open(guarded.at('all'));
    await driver.declare('topic', 'group');
    const id = 'x'.repeat(256);
    const refused = await driver.publish('topic', [
      message('a', { headers: { long: 'x'.repeat(70_000) } }),
      message('b', { delayMs: 400_000_000_000 }),
      message(id),
    ]);
    expect(refused[0]).toMatchObject({ ok: false, outcome: 'NotExecuted' });
    expect(refused[1]).toMatchObject({
      ok: false,
      outcome: 'NotExecuted',
      error: expect.any(InvalidOptionError),
    });
    expect(refused[2]).toEqual({ ok: true });
    expect((await take(driver)).id).toBe(id);
  });

  it('refuses names that are too long together', async () => {
    await using driver = open(guarded.at('all'), { prefix: 'p'.repeat(64) });
    const long = 'x'.repeat(128);
    await expect(driver.declare(long, long)).rejects.toThrow(InvalidOptionError);
    await driver.declare(long, 'short');
  });

  it('consumes with more places than the protocol has', async () => {
    await using driver = open(guarded.at('all'));
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('one')]);
    const stop = new AbortController();
    for await (const each of driver.consume('topic', 'group', { prefetch: 100_000, signal: stop.signal })) {
      await each.ack();
      break;
    }
  });
});

async function asAdmin(
  { server }: GuardedServer,
  work: (channel: import('amqplib').Channel) => Promise<unknown>,
): Promise<void> {
  const connection = await connect(server.url);
  try {
    await work(await connection.createChannel());
  } finally {
    await connection.close();
  }
}

async function cutAll({ server }: GuardedServer): Promise<void> {
  await server.control('close_all_connections', 'for the test');
}
