import { setTimeout as delay } from 'node:timers/promises';
import { Peer } from '@workspace/faults';
import { within } from '@workspace/services';
import { type Fault, type Finding, type Round, Tally } from './fault.ts';
import { type Kind, kinds, leaseMs, queueAt } from './kinds.ts';
import { Ledger } from './ledger.ts';
import type { ProducerMessage } from './producer-process.ts';
import { Site } from './site.ts';
import { Worker } from './workers.ts';

/** What a default lease promises: a dead consumer's messages are in other hands within so long. */
export const noticedWithinMs = 10_000;
/** From the first answer of a server that came back to the first handled message. */
export const resumedWithinMs = 3_000;

const workMs = 30;

/** A site of its own for each run, with a declared group, two workers and a publisher. */
class Stage implements AsyncDisposable {
  readonly ledger = new Ledger();
  readonly tally = new Tally();
  readonly site: Site;
  readonly workers: Worker[] = [];
  readonly #queue: ReturnType<typeof queueAt>;
  #next = 0;

  private constructor(site: Site) {
    this.site = site;
    this.#queue = queueAt(site.proxied);
  }

  static async set(kind: Kind, workers = 2): Promise<Stage> {
    const stage = new Stage(await Site.start(kind));
    try {
      await stage.#queue.declare('work');
      for (let i = 0; i < workers; i++) await stage.hire();
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    return stage;
  }

  async hire(stall?: { readonly n: number; readonly ms: number }): Promise<Worker> {
    const settings = { address: this.site.proxied, workMs, ...(stall && { stall }) };
    const worker = await Worker.start(settings, this.ledger);
    this.workers.push(worker);
    return worker;
  }

  /** Publishes one; whether it was confirmed. */
  async publish(): Promise<boolean> {
    const n = this.#next++;
    this.ledger.tried(n);
    try {
      await this.#queue.publish('work', { n }, { id: `n${n}` });
      this.ledger.confirmed(n);
      return true;
    } catch {
      return false;
    }
  }

  async publishAll(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.publish();
  }

  async end(times: Pick<Finding, 'noticedMs' | 'outageMs'> = {}): Promise<Finding> {
    await this.ledger.judge(this.tally);
    return this.tally.finding(times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.peer.end()));
    await this.#queue.close({ timeoutMs: 0 }).catch(() => {});
    await this.site[Symbol.asyncDispose]();
  }
}

function consumerKilled(kind: Kind): Fault {
  return onStage(kind, {
    name: `${kind}-consumer-killed`,
    about: 'one of two consumers is killed among its messages: the other has them within the time of a lease',
    within: { noticedMs: noticedWithinMs },
    async run(stage, { random }) {
      const [victim, survivor] = stage.workers as [Worker, Worker];
      const publishing = stage.publishAll(200);
      await delay(100 + 300 * random());
      await within(5_000, () => victim.open.size > 0 || undefined);
      const orphans = [...victim.open];
      const killedAt = performance.now();
      victim.peer.process.kill('SIGKILL');
      await publishing;
      const found = await within(30_000, () => orphans.find(n => survivor.redelivered.has(n)));
      const wasDone = orphans.every(n => stage.ledger.isDone(n));
      stage.tally.expect(found !== undefined || wasDone, 'no message of the dead consumer came again');
      const noticedMs = found === undefined ? undefined : survivor.redelivered.get(found)! - killedAt;
      return stage.end(noticedMs === undefined ? {} : { noticedMs });
    },
  });
}

function producerKilled(kind: Kind): Fault {
  return onStage(kind, {
    name: `${kind}-producer-killed`,
    about:
      'a producer is killed among its batches: what was confirmed is handled, and nothing else than it sent',
    async run(stage, { random }) {
      const { ledger } = stage;
      const producer = new Peer<ProducerMessage>(new URL('./producer-process.ts', import.meta.url), {
        address: stage.site.proxied,
        from: 1_000_000,
      });
      const listening = (async () => {
        for (;;) {
          const { kind, from, count } = await producer.next();
          for (let n = from; n < from + count; n++) ledger[kind === 'trying' ? 'tried' : 'confirmed'](n);
        }
      })().catch(() => {});
      await within(20_000, () => ledger.confirmations > 0 || undefined);
      await delay(200 + 400 * random());
      await producer.end();
      await listening;
      return stage.end();
    },
  });
}

function brokerKilled(kind: Kind, downMs: number): Fault {
  return onStage(kind, {
    name: `${kind}-broker-killed-${downMs / 1_000}s`,
    about: `the server is killed under load and comes back after ${downMs / 1_000} s: nothing confirmed is lost`,
    within: { outageMs: resumedWithinMs },
    usualRuns: downMs > 10_000 ? 1 : 3,
    async run(stage, { random }) {
      const { ledger, site } = stage;
      const stop = new AbortController();
      const publishing = publishUntil(stage, stop.signal);
      await delay(300 + 500 * random());
      await site.server.kill();
      await delay(downMs);
      await site.server.restart();
      const backAt = performance.now();
      const handled = ledger.handled;
      const resumed = await within(30_000, () => ledger.handled > handled || undefined);
      const outageMs = performance.now() - backAt;
      stage.tally.expect(resumed === true, 'no message was handled after the server came back');
      await delay(500);
      stop.abort();
      await publishing;
      return stage.end({ outageMs });
    },
  });
}

function halfOpen(kind: Kind): Fault {
  return onStage(kind, {
    name: `${kind}-half-open`,
    about: 'the network goes silent for 3 s, no connection is closed: nothing confirmed is lost',
    within: { outageMs: resumedWithinMs },
    async run(stage, { random }) {
      const { ledger, site } = stage;
      const stop = new AbortController();
      const publishing = publishUntil(stage, stop.signal);
      await delay(300 + 300 * random());
      site.proxy.stall();
      await delay(3_000);
      site.proxy.resume();
      const backAt = performance.now();
      const handled = ledger.handled;
      const resumed = await within(30_000, () => ledger.handled > handled || undefined);
      const outageMs = performance.now() - backAt;
      stage.tally.expect(resumed === true, 'no message was handled after the network came back');
      await delay(500);
      stop.abort();
      await publishing;
      return stage.end({ outageMs });
    },
  });
}

function loopBlocked(kind: Kind): Fault {
  return onStage(kind, {
    name: `${kind}-loop-blocked`,
    about: 'the event loop of a consumer stands still for longer than a lease: another handles its messages',
    workers: 0,
    async run(stage) {
      const stalled = await stage.hire({ n: 0, ms: 2.5 * leaseMs });
      await stage.publish();
      await within(10_000, () => stalled.open.has(0) || undefined);
      const helper = await stage.hire();
      await stage.publishAll(50);
      const taken = await within(30_000, () => helper.redelivered.has(0) || undefined);
      stage.tally.expect(
        taken === true,
        'nobody else was given the message of the consumer that stood still',
      );
      return stage.end();
    },
  });
}

async function publishUntil(stage: Stage, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await stage.publish();
    await delay(5);
  }
}

interface Play {
  readonly name: string;
  readonly about: string;
  readonly within?: NonNullable<Fault['within']>;
  readonly usualRuns?: number;
  readonly workers?: number;
  run(stage: Stage, round: Round): Promise<Finding>;
}

/** Deliveries are at least once, so all of these allow messages that were handled twice. */
function onStage(kind: Kind, { workers = 2, usualRuns = 5, run, ...rest }: Play): Fault {
  return {
    ...rest,
    allows: ['duplicated'],
    usualRuns,
    async begin() {
      return {
        async run(round) {
          await using stage = await Stage.set(kind, workers);
          return await run(stage, round);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  };
}

export const faults: readonly Fault[] = kinds.flatMap(kind => [
  consumerKilled(kind),
  producerKilled(kind),
  brokerKilled(kind, 3_000),
  halfOpen(kind),
  loopBlocked(kind),
]);

/** Too long for a test. */
export const longFaults: readonly Fault[] = kinds.flatMap(kind => [
  brokerKilled(kind, 10_000),
  brokerKilled(kind, 60_000),
]);
