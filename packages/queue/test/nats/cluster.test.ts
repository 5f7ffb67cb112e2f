import { randomUUID } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { freePorts, type NatsServer, startNats } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nats } from '../../src/adapters/nats.ts';
import { messages, Queue } from '../../src/index.ts';

const soon = { timeout: 30_000 };

describeWith('nats', 'a cluster of NATS', () => {
  const servers: NatsServer[] = [];
  let admin: NatsConnection;

  beforeAll(async () => {
    const ports = await freePorts(3);
    const routes = ports.map(port => `nats://127.0.0.1:${port}`).join(',');
    const clustered = (port: number, n: number) =>
      startNats({
        own: true,
        args: [
          ...['--name', `n${n}`, '--cluster_name', 'ashlar', '--routes', routes],
          ...['--cluster', `nats://127.0.0.1:${port}`],
        ],
      });
    servers.push(...(await Promise.all(ports.map(clustered))));
    admin = await connect({ servers: addresses(), maxReconnectAttempts: -1 });
  }, 60_000);
  afterAll(async () => {
    await admin?.close();
    await Promise.all(servers.map(server => server.stop()));
  });

  const addresses = () => servers.map(({ port }) => `127.0.0.1:${port}`);
  const leaderOf = async (stream: string): Promise<NatsServer | undefined> => {
    const answer = await admin
      .request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 1_000 })
      .catch(() => undefined);
    const name = answer?.json<{ readonly cluster?: { readonly leader?: string } }>().cluster?.leader;
    return name === undefined ? undefined : servers[Number(name.slice(1))];
  };

  it.each(['is killed', 'gives up its lead', 'enters lame duck mode'])(
    'loses nothing and goes on when the server that leads a stream %s',
    async what => {
      const prefix = randomUUID();
      const connection = { servers: addresses() };
      const driver = nats({ connection, prefix, replicas: 3, leaseMs: 2_000, timeoutMs: 3_000 });
      const queue = new Queue(driver, { messages: messages<{ work: number }>() });
      const handled = new Set<number>();
      const confirmed: number[] = [];
      await expect
        .poll(() => queue.declare('work', 'group').then(() => 'declared', String), soon)
        .toBe('declared');
      await queue.subscribe('work', async n => void handled.add(n), { group: 'group' });
      let next = 0;
      const publish = async () => {
        const n = next++;
        await queue.publish('work', n, { id: `n${n}` }).then(
          () => confirmed.push(n),
          () => {},
        );
      };
      for (let i = 0; i < 20; i++) await publish();
      const leader = (await leaderOf(`${prefix}_work`))!;
      if (what === 'is killed') await leader.kill();
      if (what === 'gives up its lead') await admin.request(`$JS.API.STREAM.LEADER.STEPDOWN.${prefix}_work`);
      if (what === 'enters lame duck mode') leader.signal('SIGUSR2');
      const before = confirmed.length;
      while (confirmed.length < before + 50) await publish();
      await expect.poll(() => confirmed.filter(n => !handled.has(n)), soon).toEqual([]);
      await expect.poll(() => queue.health().ok, soon).toBe(true);
      await queue.close();
      if (what !== 'gives up its lead') await leader.restart();
    },
    90_000,
  );
});
