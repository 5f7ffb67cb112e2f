import { once } from 'node:events';
import { connect as connectNats } from '@nats-io/transport-node';
import { within } from '@workspace/services';
import { connect as connectRabbit } from 'amqplib';
import { Queue as BullQueue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { driverAt, type KindName, queueAt, queueOver } from '../../../faults/kinds.ts';
import { topicNames } from '../../../src/adapters/nats/names.ts';
import { groupNames } from '../../../src/adapters/rabbitmq/names.ts';
import { keysOf } from '../../../src/adapters/redis-streams/keys.ts';
import { withMethods } from '../../support/with-methods.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';

/** What all drivers here have by default. */
const [prefix, group] = ['ashlar-queue', 'default'];

/** Takes the default group of a topic away, past the driver. A broker of ours has no way to do that. */
const removals: Readonly<
  Record<Exclude<KindName, 'zeromq'>, (port: number, topic: string) => Promise<void>>
> = {
  redisStreams: async (port, topic) => {
    const redis = new Redis(port);
    await redis.del(keysOf(prefix, topic).stream);
    redis.disconnect();
  },
  bullmq: async (port, topic) => {
    const queue = new BullQueue(topic, { connection: { port } });
    await queue.obliterate({ force: true });
    await queue.close();
  },
  nats: async (port, topic) => {
    const connection = await connectNats({ servers: `127.0.0.1:${port}` });
    await connection.request(`$JS.API.CONSUMER.DELETE.${topicNames(prefix, topic).stream}.${group}`);
    await connection.close();
  },
  postgres: async (port, topic) => {
    const client = new pg.Client({ connectionString: `postgres://postgres@127.0.0.1:${port}/postgres` });
    await client.connect();
    await client.query('DELETE FROM ashlar_queue_groups WHERE topic = $1', [topic]);
    await client.end();
  },
  rabbitmq: async (port, topic) => {
    const connection = await connectRabbit(`amqp://guest:guest@127.0.0.1:${port}`);
    await (await connection.createChannel()).deleteQueue(groupNames(prefix, topic, group).queue);
    await connection.close();
  },
};

type Consuming = ReturnType<typeof queueOver>;

export const mortalKinds = Object.keys(removals) as KindName[];

export const gone: Scenario = {
  title:
    'health fails when its queue is deleted, also meanwhile, until it is declared again (cloudamqp/amqp-client.js 243)',
  async play(site, { expect, onTestFinished }) {
    const remove = removals[site.kind as keyof typeof removals];
    const addresses = [unhurried(site), unhurried(site)] as const;
    // RabbitMQ 3.10 may forget what was declared just before it dies, so that who has declared it does so again
    const consuming = addresses.map(at => queueOver(withMethods(driverAt(at), { declare: async () => {} })));
    const declaring = addresses.map(queueAt);
    onTestFinished(async () => {
      await Promise.all([...consuming, ...declaring].map(queue => queue.close({ timeoutMs: 0 })));
    });
    const [idle, busy] = consuming as [Consuming, Consuming];
    for (const queue of declaring) await queue.declare('work');
    const handled: number[] = [];
    await idle.subscribe('work', ({ n }) => void handled.push(n));
    let begun = 0;
    const endless = async (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
      begun++;
      await once(signal, 'abort');
    };
    await busy.subscribe('work', endless, { concurrency: 1 });
    await busy.publish('work', { n: 0 });
    expect(await within(soonMs, () => begun === 1 || undefined)).toBe(true);
    for (const isAway of [false, true]) {
      if (isAway) await site.proxy.refuse();
      for (const { prefix } of addresses) await remove(site.server.port, `${prefix}.work`);
      if (isAway) await site.proxy.accept();
      for (const [index, name] of ['idle', 'busy'].entries()) {
        const queue = consuming[index]!;
        const reason = () => queue.health().subscriptions[0]!.reason;
        const isTold = await within(soonMs, () => reason()?.includes('GroupGoneError') || undefined);
        expect(isTold, `${name}${isAway ? ', with the network away' : ''}: ${reason()}`).toBe(true);
        const isDeclared = () =>
          declaring[index]!.declare('work').then(
            () => true,
            () => undefined,
          );
        expect(await within(soonMs, isDeclared)).toBe(true);
        expect(await within(soonMs, () => queue.health().ok || undefined), name).toBe(true);
      }
    }
    await idle.publish('work', { n: 1 });
    expect(await within(soonMs, () => handled.includes(1) || undefined)).toBe(true);
  },
};
