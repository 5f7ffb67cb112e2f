import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startNats, startTcpProxy, temporaryDirectory } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { type NatsConnectionOptions, type NatsOptions, nats } from '../../src/adapters/nats.ts';
import {
  type Delivery,
  type Driver,
  GroupGoneError,
  InvalidPayloadError,
  messages,
  Queue,
  QueueUnavailableError,
} from '../../src/index.ts';
import { NatsSite } from '../support/nats-site.ts';

const soon = { timeout: 20_000 };

function at(
  port: number,
  options: Partial<NatsOptions> = {},
  connection: NatsConnectionOptions = {},
): Driver {
  return nats({
    connection: { servers: `127.0.0.1:${port}`, ...connection },
    prefix: randomUUID(),
    leaseMs: 2_000,
    ...options,
  });
}

const message = (id: string, body: Uint8Array = Buffer.from(id)) => ({ id, body, headers: {} });

function consuming(driver: Driver, handle: (delivery: Delivery) => unknown): { stop(): Promise<void> } {
  const end = new AbortController();
  const running = (async () => {
    for await (const delivery of driver.consume('work', 'group', { prefetch: 5, signal: end.signal })) {
      await handle(delivery);
    }
  })();
  running.catch(() => {}); // Until `stop`
  return {
    async stop() {
      end.abort();
      await running;
    },
  };
}

describeWith('nats', 'NATS, when something is wrong', () => {
  const site = new NatsSite();

  it.each(['the stream of the topic', 'the stream of what failed', 'its consumer for what failed'])(
    'notices that %s was deleted: health fails, and is well after another declaration',
    async what => {
      const prefix = randomUUID();
      const queue = new Queue(at(site.server.port, { prefix }), { messages: messages<{ work: number }>() });
      const handled: number[] = [];
      const handler = async (n: number) => void handled.push(n);
      await queue.subscribe('work', handler, { group: 'group' });
      await queue.publish('work', 1);
      await expect.poll(() => handled, soon).toEqual([1]);
      const subject = {
        'the stream of the topic': `STREAM.DELETE.${prefix}_work`,
        'the stream of what failed': `STREAM.DELETE.${prefix}_work_group`,
        'its consumer for what failed': `CONSUMER.DELETE.${prefix}_work_group.ready`,
      }[what]!;
      await site.admin.request(`$JS.API.${subject}`);
      await expect.poll(() => queue.health().ok, soon).toBe(false);
      await queue.declare('work', 'group');
      await expect.poll(() => queue.health().ok, soon).toBe(true);
      await queue.publish('work', 2);
      await expect.poll(() => handled, soon).toEqual([1, 2]);
      await queue.close();
    },
    60_000,
  );

  it('does not say that a message was published whose stream was deleted', async () => {
    const prefix = randomUUID();
    await using driver = at(site.server.port, { prefix });
    await driver.declare('work', 'group');
    await driver.publish('work', [message('1')]);
    await site.admin.request(`$JS.API.STREAM.DELETE.${prefix}_work`);
    for (const id of ['2', '3']) {
      expect(await driver.publish('work', [message(id)])).toMatchObject([
        { ok: false, outcome: 'NotExecuted' },
      ]);
    }
    await expect(driver.probe!('work', 'group')).rejects.toThrow(GroupGoneError);
  });

  it('refuses what the server would end the connection for, headers and later counts included', async () => {
    await using driver = at(site.server.port);
    await driver.declare('work', 'group');
    const limit = site.admin.info!.max_payload;
    const refused = { ok: false, outcome: 'NotExecuted', error: expect.any(InvalidPayloadError) };
    const long = { ...message('a', new Uint8Array(limit - 5_000)), headers: { note: 'x'.repeat(6_000) } };
    expect(
      await driver.publish('work', [message('b', new Uint8Array(limit)), long, message('c')]),
    ).toMatchObject([refused, refused, { ok: true }]);
    // The largest that is taken can also fail, be given back and be buried
    let bytes = limit;
    while (!(await driver.publish('work', [message('big', new Uint8Array(bytes))]))[0]!.ok) bytes -= 100;
    expect(bytes).toBeGreaterThan(limit - 2_000);
    const seen: string[] = [];
    const { stop } = consuming(driver, async delivery => {
      seen.push(delivery.id);
      if (delivery.id === 'c') await delivery.ack();
      else if (delivery.deliveries === 1) await delivery.nack({ requeueAfterMs: 1 });
      else await delivery.nack({ dead: `${'ü%'.repeat(2_000)}` });
    });
    const letters = () => driver.inspect!('work', 'group', { limit: 10 });
    await expect.poll(async () => (await letters()).length, soon).toBe(1);
    await stop();
    const [letter] = await letters();
    expect(letter).toMatchObject({ id: 'big', reason: expect.stringMatching(/^(ü%){50,}/) });
    expect(letter!.body.byteLength).toBe(bytes);
    expect(seen.sort()).toEqual(['big', 'big', 'c']);
  });

  it('takes an id again when its window is over, and counts it once before', async () => {
    await using driver = at(site.server.port, { deduplicationMs: 500 });
    await driver.declare('work', 'group');
    expect(await driver.publish('work', [message('1'), message('1')])).toEqual([
      { ok: true },
      { ok: true, isDuplicate: true },
    ]);
    await expect
      .poll(async () => (await driver.publish('work', [message('1')]))[0], soon)
      .toEqual({ ok: true });
    expect((await driver.stats!('work', 'group')).waiting).toBe(2);
  });

  it('gives nothing to the client while the connection is away, and goes on at once when it is back', async () => {
    const proxy = await startTcpProxy({ target: site.server.port });
    await using driver = at(proxy.port, { timeoutMs: 20_000, leaseMs: 30_000 });
    await driver.declare('work', 'group');
    const handled: string[] = [];
    const acknowledged: Promise<void>[] = [];
    let hold: Delivery | undefined;
    const { stop } = consuming(driver, delivery => {
      handled.push(delivery.id);
      if (delivery.id === 'held') hold = delivery;
      else acknowledged.push(delivery.ack());
    });
    await driver.publish('work', [message('held')]);
    await expect.poll(() => handled, soon).toEqual(['held']);
    await proxy.refuse();
    proxy.cut();
    // Which ends when the client has noticed
    await hold!.extend(1).catch(() => {});
    const published = driver.publish('work', [message('while away')]);
    const held = hold!.ack();
    await proxy.accept();
    expect(await published).toEqual([{ ok: true }]);
    await held;
    await expect.poll(() => handled, soon).toContain('while away');
    await Promise.all(acknowledged);
    await stop();
    expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 0, active: 0 });
    await proxy.stop();
  });

  it('says at once that there is no JetStream', async () => {
    await using plain = await startNats({ own: true, args: ['--jetstream=false'] });
    await using driver = at(plain.port);
    const words = /JetStream does not answer at \$JS\.API/;
    await expect(driver.declare('work', 'group')).rejects.toThrow(words);
    expect(await driver.publish('work', [message('1')])).toMatchObject([
      { ok: false, outcome: 'NotExecuted', error: expect.any(QueueUnavailableError) },
    ]);
  });

  it('says at once what the server refuses: credentials, an account without JetStream, a subject', async () => {
    const config = join(temporaryDirectory('nats-config'), 'nats.conf');
    await writeFile(
      config,
      `accounts {
        with { jetstream: enabled, users: [
          { user: ada, password: right }
          { user: eve, password: right, permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>"] } } }
        ] }
        without { users: [{ user: nobody, password: none }] }
      }
      no_auth_user: nobody`,
    );
    await using guarded = await startNats({ own: true, args: ['--config', config] });
    const as = (user: string, pass: string) => at(guarded.port, { timeoutMs: 30_000 }, { user, pass });
    for (const [driver, words] of [
      [as('ada', 'wrong'), /Authorization Violation/i],
      [at(guarded.port), /JetStream not enabled for account/i],
      [as('eve', 'right'), /Permissions Violation/i],
    ] as const) {
      const failed = { code: 'ASHLAR_QUEUE_UNAVAILABLE', outcome: 'NotExecuted' };
      await expect(driver.declare('work', 'group')).rejects.toMatchObject({
        ...failed,
        message: expect.stringMatching(words),
      });
      await driver[Symbol.asyncDispose]();
    }
    await using right = as('ada', 'right');
    await right.declare('work', 'group');
  }, 30_000);

  it('goes on by itself when credentials that were withdrawn hold again', async () => {
    const config = join(temporaryDirectory('nats-config'), 'nats.conf');
    const accounts = (password: string) => `accounts {
      with { jetstream: enabled, users: [{ user: ada, password: ${password} }] }
      without { users: [{ user: nobody, password: none }] }
    }
    no_auth_user: nobody`;
    await writeFile(config, accounts('right'));
    await using guarded = await startNats({ own: true, args: ['--config', config] });
    const driver = at(guarded.port, {}, { user: 'ada', pass: 'right' });
    const queue = new Queue(driver, { messages: messages<{ work: number }>() });
    const handled: number[] = [];
    await queue.subscribe('work', async n => void handled.push(n));
    await queue.publish('work', 1);
    await expect.poll(() => handled, soon).toEqual([1]);
    await writeFile(config, accounts('other'));
    await guarded.restart();
    await expect.poll(() => queue.health().ok, soon).toBe(false);
    await expect
      .poll(() => queue.publish('work', 2).catch(error => error.message), soon)
      .toMatch(/Authorization Violation/i);
    await writeFile(config, accounts('right'));
    await guarded.restart();
    await expect
      .poll(
        () =>
          queue.publish('work', 3).then(
            () => true,
            () => false,
          ),
        soon,
      )
      .toBe(true);
    await expect.poll(() => handled, soon).toContain(3);
    expect(queue.health().ok).toBe(true);
    await queue.close();
  }, 60_000);

  it('works in a domain of JetStream, and says when there is no such domain', async () => {
    const config = join(temporaryDirectory('nats-config'), 'nats.conf');
    await writeFile(config, 'jetstream { domain: hub }');
    await using hub = await startNats({ own: true, args: ['--config', config] });
    await using driver = at(hub.port, { domain: 'hub' });
    await driver.declare('work', 'group');
    await driver.publish('work', [message('1'), message('2')]);
    const handled: string[] = [];
    const { stop } = consuming(driver, async delivery => {
      handled.push(`${delivery.id}.${delivery.deliveries}`);
      if (delivery.deliveries === 1) await delivery.nack({});
      else await delivery.ack();
    });
    await expect.poll(() => handled.sort(), soon).toEqual(['1.1', '1.2', '2.1', '2.2']);
    await stop();
    await using other = at(hub.port, { domain: 'edge' });
    await expect(other.declare('work', 'group')).rejects.toThrow(/does not answer at \$JS\.edge\.API/);
    expect(() => at(hub.port, { domain: 'a.b' })).toThrow(/`domain` must be the name of a domain/);
  });
});
