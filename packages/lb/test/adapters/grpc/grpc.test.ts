import { setImmediate } from 'node:timers/promises';
import {
  type CallOptions,
  type Client,
  connectivityState,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  status,
} from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BalancedChannelOptions, balancedChannel } from '../../../src/adapters/grpc.ts';
import {
  consistent,
  type EndpointWithUrl,
  LoadBalancer,
  type LoadBalancerOptions,
  roundRobin,
} from '../../../src/index.ts';
import { Feed } from '../../support/discovery/feed.ts';
import { until } from '../../support/until.ts';
import { listening, unary } from './unary.ts';

const say = unary('/test.Echo/Say');
const Echo = makeGenericClientConstructor({ Say: say }, 'test.Echo');

/** A real server that answers with its id, or with a status, or not at all. */
class Replica {
  readonly id: string;
  url = '';
  mode: number | 'silent' = status.OK;
  calls = 0;
  authority = '';
  readonly #server = new Server();

  static async start(id: string, port = 0): Promise<Replica> {
    const replica = new Replica(id);
    replica.url = await listening(replica.#server, port);
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
}

function connected(
  endpoints: LoadBalancerOptions<EndpointWithUrl>['endpoints'],
  balancing: Partial<LoadBalancerOptions<EndpointWithUrl>> = {},
  options: BalancedChannelOptions = {},
) {
  const lb = new LoadBalancer<EndpointWithUrl>({
    name: 'shop',
    endpoints,
    policy: roundRobin(),
    ...balancing,
  });
  const channel = balancedChannel(lb, options);
  const soon = { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 100 };
  const client = new Echo(channel.target, credentials.createInsecure(), { ...channel.options, ...soon });
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
      say.requestSerialize,
      say.responseDeserialize,
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
      say.requestSerialize,
      say.responseDeserialize,
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
    const feed = new Feed<EndpointWithUrl>();
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

  it('lets calls wait for the first set of a discovery', async () => {
    const a = await Replica.start('a');
    const feed = new Feed<EndpointWithUrl>();
    const { client } = connected(feed);
    const first = ask(client);
    await aWhile(first);
    await feed.give([a]);
    expect(await first).toBe('a');
  });

  it.each([
    ['ends', (feed: Feed<EndpointWithUrl>) => feed.end()],
    ['fails', (feed: Feed<EndpointWithUrl>) => feed.fail(new Error('no such name'))],
    ['is closed', (_: Feed<EndpointWithUrl>, lb: LoadBalancer<EndpointWithUrl>) => lb.close()],
  ])('fails calls when a discovery %s without a set', async (_, over) => {
    const feed = new Feed<EndpointWithUrl>();
    const { client, lb } = connected(feed);
    const first = ask(client);
    await aWhile(first);
    await over(feed, lb);
    await expect(first).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await expect(ask(client)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it('lets calls wait while all ports refuse, until their deadline', async () => {
    const gone = await Replica.start('a');
    gone.stop();
    const { client } = connected([gone, { id: 'b', url: 'http://127.0.0.1:1' }]);
    const first = ask(client);
    await refused(client);
    await aWhile(first);
    await expect(ask(client, undefined, { deadline: Date.now() + 50 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    const back = await Replica.start('a', Number(new URL(gone.url).port));
    expect([await first, back.url]).toEqual(['a', gone.url]);
  });

  it('lets calls wait for an endpoint that is not connected while the connected one is drained', async () => {
    const [a, gone] = [await Replica.start('a'), await Replica.start('b')];
    gone.stop();
    const { client, lb } = connected([a, gone]);
    expect(await ask(client)).toBe('a');
    await lb.drain('a');
    const waiting = ask(client);
    await aWhile(waiting);
    await Replica.start('b', Number(new URL(gone.url).port));
    expect(await waiting).toBe('b');
  });

  it('fails calls at once with `waitForReady: false` while nobody can be connected to', async () => {
    const { client } = connected([{ id: 'a', url: 'http://127.0.0.1:1' }], undefined, {
      waitForReady: false,
    });
    await expect(ask(client)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('no endpoint of shop could be connected to'),
    });
  });
});

/** Turns of the event loop in which a call that does not wait would fail. */
async function aWhile(call: Promise<unknown>): Promise<void> {
  let failed: unknown;
  call.catch((error: unknown) => {
    failed = error;
  });
  for (let turn = 0; turn < 100 && failed === undefined; turn++) await setImmediate();
  expect(failed).toBeUndefined();
}

function refused(client: Client): Promise<void> {
  const state = () => client.getChannel().getConnectivityState(true);
  return until(() => expect(state()).toBe(connectivityState.TRANSIENT_FAILURE));
}
