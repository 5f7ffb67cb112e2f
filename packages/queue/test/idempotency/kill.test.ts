import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { programArgs } from '@workspace/faults';
import { eventually, type Redis as RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { messages, Queue } from '../../src/index.ts';
import { type KillPoint, killPoints } from './kill-points.ts';
import { Service } from './service.ts';
import { type KillMessages, startWorker, type WorkerOptions, type Written } from './worker.ts';

const orders = [1, 2, 3, 4, 5];
const patience = { withinMs: 30_000 };

/** Those at which an effect has happened, and no record of it: it is repeated. */
const repeats: readonly KillPoint[] = ['the effect sent', 'after the effect', 'before the record'];

/** A worker in a process of its own. */
class Mortal {
  readonly process: ChildProcess;
  readonly written: Written[] = [];

  constructor(options: WorkerOptions) {
    const args = programArgs(new URL('worker-process.ts', import.meta.url), JSON.stringify(options));
    this.process = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.process.on('message', each => this.written.push(each as Written));
  }

  async meets(signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
    await eventually(async () => {
      const { signalCode, pid } = this.process;
      const isOver = signalCode === 'SIGKILL' || (signal === 'SIGSTOP' && isStopped(pid!));
      expect(isOver).toBe(true);
    }, patience);
  }

  /** It goes on where it stood still, and ends. */
  async goesOn(): Promise<void> {
    this.process.kill('SIGCONT');
    this.process.send('close');
    await once(this.process, 'exit');
  }
}

/** What was written last of each order: who is held up for longer than a lease writes again, with a greater token. */
function lastOf(written: readonly Written[]): Written[] {
  const last = new Map<number, Written>();
  for (const each of written) {
    if (BigInt(each.token) > BigInt(last.get(each.n)?.token ?? -1)) last.set(each.n, each);
  }
  return [...last.values()];
}

function isStopped(pid: number): boolean {
  return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

describeWith([{ own: 'redis' }], 'an idempotent worker with its records in Redis', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin?.disconnect();
    await server?.stop();
  });

  interface Done {
    readonly service: Service;
    readonly mortal: Mortal;
    /** What is in the sink, by order. */
    sink(): Promise<readonly (readonly [writer: string | null, token: string | null])[]>;
    /** By the heir. */
    readonly written: readonly Written[];
  }

  /** All orders are charged, though one worker dies or stands still at that point; another goes on. */
  async function charge(
    { mode, point, signal }: Pick<WorkerOptions, 'mode' | 'point' | 'signal'>,
    check: (done: Done) => Promise<void>,
  ): Promise<void> {
    let mortal: Mortal | undefined;
    const kill = () => point === 'the effect sent' && mortal?.process.kill('SIGKILL');
    await using service = await new Service(kill).start();
    const prefix = `${mode}-${signal}-${point}`.replaceAll(' ', '-');
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const queue = new Queue(redisStreams({ redis, prefix, leaseMs: 1_000 }), {
      messages: messages<KillMessages>(),
    });
    const written: Written[] = [];
    const options = { redis: server.port, prefix, mode, service: service.url, signal };
    let close = async () => {};
    try {
      await queue.declare('charge');
      await queue.publishMany(
        'charge',
        orders.map(n => ({ n })),
      );
      mortal = new Mortal({ ...options, name: 'mortal', point });
      await mortal.meets(signal);
      close = await startWorker({ ...options, name: 'heir', point: 'none' }, each => written.push(each));
      await eventually(async () => {
        const none = { waiting: 0, delayed: 0, active: 0, dead: 0 };
        expect(await queue.stats('charge')).toEqual(none);
      }, patience);
      const sink = () =>
        Promise.all(
          orders.map(async n => {
            const [writer, token] = await admin.hmget(`${prefix}-charge-${n}`, 'value', 'token');
            return [writer!, token!] as const;
          }),
        );
      await check({ service, mortal, sink, written });
    } finally {
      mortal?.process.kill('SIGKILL');
      await close();
      await queue.close();
      redis.disconnect();
    }
  }

  for (const point of killPoints) {
    it.concurrent(`external: killed ${point}, it charges exactly once`, async () => {
      await charge({ mode: 'external', point, signal: 'SIGKILL' }, async ({ service }) => {
        expect(service.charged).toEqual(orders);
        if (repeats.includes(point)) expect(service.calls.length).toBeGreaterThan(orders.length);
      });
    });

    it.concurrent(`fenced: killed ${point}, it writes with a greater token`, async () => {
      await charge({ mode: 'fenced', point, signal: 'SIGKILL' }, async ({ sink, written }) => {
        const found = await sink();
        expect(found.every(([writer]) => writer !== null)).toBe(true);
        if (repeats.includes(point)) expect(written.length).toBeGreaterThan(0);
        for (const { n, token, outcome } of lastOf(written)) {
          expect([n, outcome, found[n - 1]]).toEqual([n, 'accepted', ['heir', token]]);
        }
      });
    });
  }

  const stops: readonly KillPoint[] = [
    'after the claim',
    'before the effect',
    'after the effect',
    'the record sent',
  ];
  for (const point of stops) {
    it.concurrent(`fenced: superseded while it stands still ${point}, it writes no more`, async () => {
      await charge({ mode: 'fenced', point, signal: 'SIGSTOP' }, async ({ sink, mortal, written }) => {
        const before = await sink();
        const accepted = () => mortal.written.filter(({ outcome }) => outcome === 'accepted').length;
        const acceptedBefore = accepted();
        await mortal.goesOn();
        expect(await sink()).toEqual(before);
        for (const { n, token } of lastOf(written)) expect(before[n - 1]).toEqual(['heir', token]);
        if (point !== 'before the effect') return;
        expect(mortal.written).toContainEqual(expect.objectContaining({ outcome: 'refused' }));
        expect(accepted()).toBe(acceptedBefore);
      });
    });
  }
});
