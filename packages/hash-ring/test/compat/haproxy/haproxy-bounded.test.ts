import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { type Random, seededRandom } from '@ashlar/core';
import { type PortServer, startHaproxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HaproxyBoundedOptions, type HaproxyNode, haproxyBounded } from '../../../src/compat/index.ts';

interface Case {
  readonly servers: readonly HaproxyNode[];
  readonly options: HaproxyBoundedOptions;
  /** How often, of 1, a request is let go before the next one. */
  readonly letGo: number;
}

const equal = [1, 2, 3, 4, 5].map(i => ({ id: `s${i}` }));
const weighted = equal.map((node, i) => ({ ...node, weight: [1, 3, 2, 1, 7][i]! }));
const cases: Record<string, Case> = {
  f101: { servers: equal, options: { balanceFactor: 101 }, letGo: 0.4 },
  f110: { servers: weighted, options: { balanceFactor: 110 }, letGo: 0.45 },
  f125_djb2: { servers: weighted, options: { balanceFactor: 125, hash: 'djb2' }, letGo: 0.5 },
  f200: {
    servers: weighted.map((node, i) => ({ ...node, down: i === 1 })),
    options: { balanceFactor: 200 },
    letGo: 0.48,
  },
};

const decisions = 250;

/** The real servers: they hold every request until it is released. */
class Holder {
  readonly #server: Server;
  readonly #arrivals: ((arrived: { server: string; response: ServerResponse }) => void)[] = [];

  constructor() {
    this.#server = createServer({ keepAlive: false }, (incoming: IncomingMessage, response) =>
      this.#arrivals.shift()?.({ server: String(incoming.headers['x-server']), response }),
    );
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  arrival(): Promise<{ server: string; response: ServerResponse }> {
    return new Promise(resolve => this.#arrivals.push(resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

describeWith('haproxy', 'haproxyBounded and HAProxy', () => {
  const holder = new Holder();
  let haproxy: PortServer;

  beforeAll(async () => {
    const target = await holder.listen();
    haproxy = await startHaproxy({ config: ({ port, directory }) => configOf(port, directory, target) });
  });
  afterAll(async () => {
    holder.close();
    await haproxy?.stop();
  });

  for (const [name, { servers, options, letGo }] of Object.entries(cases)) {
    it(`decide alike while requests are held open: ${name}`, async () => {
      const bounded = haproxyBounded(servers, options);
      const random = seededRandom(options.balanceFactor);
      const held: (() => Promise<void>)[] = [];
      const wrong: string[] = [];
      let diverted = 0;
      for (let i = 0; i < decisions; i++) {
        while (held.length > 0 && random() < letGo) await held.splice(below(random, held.length), 1)[0]!();
        await settled(haproxy.directory, name, held.length);
        const key = `user:${below(random, 12)}`;
        const { server, letGo: end } = await hold(holder, haproxy.port, name, key);
        const { node, release } = bounded.acquire(key);
        if (node !== server) wrong.push(`${i}: ${node}, really ${server}`);
        if (haproxyBounded(servers, options).acquire(key).node !== node) diverted++;
        held.push(async () => {
          release();
          await end();
        });
      }
      for (const end of held) await end();
      expect(wrong).toEqual([]);
      expect(diverted).toBeGreaterThan(10);
      expect(bounded.total).toBe(0);
    });
  }
});

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

/** A request that is under way, and where. */
async function hold(holder: Holder, port: number, backend: string, key: string) {
  const arrival = holder.arrival();
  const asked = request({
    port,
    host: '127.0.0.1',
    path: `/${backend}`,
    agent: false,
    headers: { 'x-key': key },
  });
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
  asked.end();
  const { server, response } = await Promise.race([
    arrival,
    answered.then(([{ statusCode }]) => refused(statusCode)),
  ]);
  return {
    server,
    letGo: async () => {
      response.end('done');
      const [incoming] = await answered;
      await once(incoming.resume(), 'close');
    },
  };
}

function refused(status: number | undefined): never {
  throw new Error(`HAProxy answered ${status} itself`);
}

/** Resolves when HAProxy counts that many requests of a backend. */
async function settled(directory: string, backend: string, count: number): Promise<void> {
  for (let asked = 0; asked < 1_000; asked++) {
    const socket = connect(`${directory}/admin.sock`);
    socket.setEncoding('utf8').end('show stat\n');
    let table = '';
    for await (const part of socket) table += part;
    const row = table.split('\n').find(line => line.startsWith(`${backend},BACKEND,`));
    if (Number(row?.split(',')[4]) === count) return;
    await turn();
  }
  throw new Error(`HAProxy does not come to ${count} requests of ${backend}`);
}

function configOf(port: number, directory: string, target: number): string {
  const backends = Object.entries(cases).map(
    ([name, { servers, options }]) => `
    backend ${name}
      balance hdr(x-key)
      hash-type consistent ${options.hash ?? ''}
      hash-balance-factor ${options.balanceFactor}
      http-send-name-header x-server
      ${servers.map(({ id, weight = 1, down }) => `server ${id} 127.0.0.1:${target} weight ${weight} ${down ? 'disabled' : ''}`).join('\n      ')}`,
  );
  return `
    global
      nbthread 1
      stats socket ${directory}/admin.sock
    defaults
      mode http
      timeout client 60s
      timeout server 60s
      timeout connect 5s
    frontend asked
      bind 127.0.0.1:${port}
      use_backend %[path,field(2,/)]
    ${backends.join('\n')}
  `;
}
