import {
  type CallOptions,
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BalancedChannelOptions, balancedChannel } from '../../src/adapters/grpc.ts';
import {
  consistent,
  type Endpoint,
  LoadBalancer,
  type LoadBalancerOptions,
  roundRobin,
} from '../../src/index.ts';
import { Feed } from '../support/feed.ts';
import { until } from '../support/until.ts';

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
const say = {
  path: '/test.Echo/Say',
  requestStream: false,
  responseStream: false,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
};
const Echo = makeGenericClientConstructor({ Say: say }, 'test.Echo');

/** A real server that answers with its id, or with a status, or not at all. */
class Replica {
  readonly id: string;
  url = '';
  mode: number | 'silent' = status.OK;
  calls = 0;
  authority = '';
  readonly #server = new Server();

  static async start(id: string): Promise<Replica> {
    const replica = new Replica(id);
    await replica.#listen();
    onTestFinished(() => replica.stop());
    return replica;
  }

  private constructor(id: string) {
    this.id = id;
    this.#server.addService(
      { Say: say },
      {
        Say: (call: { getHost(): string }, answer: (error: object | null, value?: Buffer) => void) => {
          this.calls++;
          this.authority = call.getHost();
          if (this.mode === 'silent') return;
          if (this.mode === status.OK) answer(null, Buffer.from(id));
          else answer({ code: this.mode, details: 'as told' });
        },
      },
    );
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        this.url = `http://127.0.0.1:${port}`;
        if (error === null) resolve();
        else reject(error);
      });
    });
  }
}

function connected(
  endpoints: LoadBalancerOptions<Endpoint>['endpoints'],
  balancing: Partial<LoadBalancerOptions<Endpoint>> = {},
  options: BalancedChannelOptions = {},
) {
  const lb = new LoadBalancer<Endpoint>({ name: 'shop', endpoints, policy: roundRobin(), ...balancing });
  const channel = balancedChannel(lb, options);
  const client = new Echo(channel.target, credentials.createInsecure(), channel.options);
  onTestFinished(async () => {
    client.close();
    channel.close();
    await lb.close();
  });
  return { lb, client };
}

/** The id of the replica that answered. */
function ask(client: Client, metadata = new Metadata(), options: CallOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const all = { deadline: Date.now() + 10_000, ...options };
    client.makeUnaryRequest(
      say.path,
      bytes.serialize,
      bytes.deserialize,
      Buffer.from('hello'),
      metadata,
      all,
      (error, value) => {
        if (error === null) resolve(String(value));
        else reject(error);
      },
    );
  });
}

describe('a balanced channel of grpc-js', () => {
  it('gives calls to the endpoints as the policy says', async () => {
    const [a, b, c] = [await Replica.start('a'), await Replica.start('b'), await Replica.start('c')];
    const { lb, client } = connected([a, b, c]);
    await until(async () => {
      await ask(client);
      expect([a.calls, b.calls, c.calls]).not.toContain(0);
    });
    const before = [a.calls, b.calls, c.calls];
    for (let i = 0; i < 30; i++) await ask(client);
    expect([a.calls, b.calls, c.calls].map((calls, index) => calls - before[index]!)).toEqual([10, 10, 10]);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: a.calls }, {}, {}] });
    expect(a.authority).toBe('shop');
  });

  it('tells how calls went: one that fails is ejected, and what is canceled says nothing', async () => {
    const [a, b] = [await Replica.start('a'), await Replica.start('b')];
    const { lb, client } = connected([a, b], { outlier: { consecutiveFailures: 3 } });
    await until(async () => {
      await ask(client);
      expect([a.calls, b.calls]).not.toContain(0);
    });
    a.mode = status.INVALID_ARGUMENT;
    for (let i = 0; i < 10; i++) await ask(client).catch(() => {});
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'up', failed: 0 });
    a.mode = status.UNAVAILABLE;
    const answers: unknown[] = [];
    for (let i = 0; i < 20; i++)
      answers.push(await ask(client).catch((error: { code: number }) => error.code));
    expect(answers.filter(answer => answer === status.UNAVAILABLE)).toHaveLength(3);
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'ejected', failed: 3 });
    b.mode = 'silent';
    const call = client.makeUnaryRequest(
      say.path,
      bytes.serialize,
      bytes.deserialize,
      Buffer.from('x'),
      () => {},
    );
    await until(() => expect(lb.snapshot().inFlight).toBe(1));
    call.cancel();
    await until(() =>
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{}, { failed: 0, canceled: 1 }] }),
    );
  });

  it('keeps equal keys together', async () => {
    const replicas = [await Replica.start('a'), await Replica.start('b'), await Replica.start('c')];
    const key = (metadata: Metadata) => String(metadata.get('user')[0]);
    const { client } = connected(replicas, { policy: consistent() }, { key });
    const owners = new Map<string, string>();
    const about = (user: string) => {
      const metadata = new Metadata();
      metadata.set('user', user);
      return ask(client, metadata);
    };
    const users = Array.from({ length: 12 }, (_, index) => `u${index}`);
    // those that are not connected yet are passed over
    await until(async () => {
      for (const user of users) owners.set(user, await about(user));
      for (const user of users) expect(await about(user)).toBe(owners.get(user));
      expect(new Set(owners.values()).size).toBe(3);
    });
    for (const user of users) expect(await about(user)).toBe(owners.get(user));
  });

  it('follows a discovery, waits for its first set, and survives the end of a server', async () => {
    const [a, b] = [await Replica.start('a'), await Replica.start('b')];
    const feed = new Feed<Endpoint>();
    const { client, lb } = connected(feed);
    const first = ask(client, undefined, {});
    await feed.give([a]);
    expect(await first).toBe('a');
    await feed.give([a, b]);
    await until(async () => expect(await ask(client)).toBe('b'));
    await feed.give([b]);
    await until(async () => {
      expect([await ask(client), await ask(client)]).toEqual(['b', 'b']);
    });
    const c = await Replica.start('c');
    await feed.give([b, c]);
    await until(async () => expect(await ask(client)).toBe('c'));
    b.stop();
    await until(async () => {
      expect([await ask(client), await ask(client)]).toEqual(['c', 'c']);
    });
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('fails calls when nobody can be connected to', async () => {
    const { client } = connected([{ id: 'a', url: 'http://127.0.0.1:1' }, { id: 'b' }]);
    await expect(ask(client)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('no endpoint of shop could be connected to'),
    });
  });
});
