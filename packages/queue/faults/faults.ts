import { setTimeout as delay } from 'node:timers/promises';
import { Peer } from '@workspace/faults';
import { within } from '@workspace/services';
import { type Fault, type Finding, type Round, Tally } from './fault.ts';
import { type Address, kindNames, places, queueAt, shortLeaseMs } from './kinds.ts';
import { Ledger } from './ledger.ts';
import type { ProducerMessage } from './producer-process.ts';
import { ownSites, type Site, type Sites } from './site.ts';
import { Worker } from './workers.ts';

/** What a default lease promises: a dead consumer's messages are in other hands within so long. */
export const noticedWithinMs = 10_000;
/** From the first answer of a server that came back to the first handled message. */
export const resumedWithinMs = 3_000;

const workMs = 30;

/** Topics of its own for each run, with a declared group, two workers and a publisher. */
class Stage implements AsyncDisposable {
  readonly ledger = new Ledger();
  readonly tally = new Tally();
  readonly site: Site;
  readonly address: Address;
  readonly workers: Worker[] = [];
  readonly #queue: ReturnType<typeof queueAt>;
  #next = 0;

  private constructor(site: Site) {
    this.site = site;
    this.address = site.fresh();
    this.#queue = queueAt(this.address);
  }

  static async set(site: Site, workers: number): Promise<Stage> {
    const stage = new Stage(site);
    try {
      await stage.#queue.declare('work');
      for (let i = 0; i < workers; i++) await stage.hire();
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    return stage;
  }

  async hire(stallMs?: number): Promise<Worker> {
    const settings = { address: this.address, workMs, ...(stallMs && { stallMs }) };
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

  /** @param judged looks at what is known then */
  async end(
    times: Pick<Finding, 'noticedMs' | 'outageMs'> = {},
    judged: () => void = () => {},
  ): Promise<Finding> {
    await this.ledger.judge(this.tally);
    judged();
    return this.tally.finding(times);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.peer.end()));
    await this.#queue.close({ timeoutMs: 0 }).catch(() => {});
  }
}

function consumerKilled(sites: Sites, lease: 'short' | 'usual' = 'short'): Fault {
  return onStage(sites, {
    name: `${sites.kind}-consumer-killed${lease === 'short' ? '' : '-usual-lease'}`,
    about: `one of two consumers is killed among its messages${lease === 'short' ? '' : ', with leases as by default'}: the other has them within the time of a lease, and no others are charged`,
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
      return stage.end(noticedMs === undefined ? {} : { noticedMs }, () => {
        const { size } = survivor.redelivered;
        stage.tally.expect(size <= places, `${size} messages count as handed out to the dead consumer`);
      });
    },
  });
}

function consumerTerminated(sites: Sites): Fault {
  return onStage(sites, {
    name: `${sites.kind}-consumer-terminated`,
    about:
      'one of two consumers is told to end among its messages: it handles those that it has begun, and nobody else does',
    allows: [],
    async run(stage, { random }) {
      const { tally } = stage;
      const [victim] = stage.workers as [Worker, Worker];
      const publishing = stage.publishAll(200);
      await delay(100 + 300 * random());
      await within(5_000, () => victim.open.size > 0 || undefined);
      victim.peer.process.kill('SIGTERM');
      await publishing;
      const code = await within(20_000, () => victim.peer.process.exitCode ?? undefined);
      tally.expect(code === 0, `the consumer ended with ${code}`);
      tally.expect(victim.open.size === 0, `${victim.open.size} messages were begun and not done`);
      return stage.end();
    },
  });
}

function producerKilled(sites: Sites): Fault {
  return onStage(sites, {
    name: `${sites.kind}-producer-killed`,
    about:
      'a producer is killed among its batches: what was confirmed is handled, and nothing else than it sent',
    async run(stage, { random }) {
      const { ledger } = stage;
      const producer = new Peer<ProducerMessage>(new URL('./producer-process.ts', import.meta.url), {
        address: stage.address,
        from: 1_000_000,
      });
      const listening = (async () => {
        for (;;) {
          const { kind, from, count } = await producer.next();
          for (let n = from; n < from + count; n++) ledger[kind === 'trying' ? 'tried' : 'confirmed'](n);
        }
      })().catch(() => {});
      await within(60_000, () => ledger.confirmations > 0 || undefined);
      await delay(200 + 400 * random());
      await producer.end();
      await listening;
      return stage.end();
    },
  });
}

function brokerKilled(sites: Sites, downMs: number): Fault {
  return onStage(sites, {
    name: `${sites.kind}-broker-killed-${downMs / 1_000}s`,
    about: `the server is killed under load and comes back after ${downMs / 1_000} s: nothing confirmed is lost`,
    within: { outageMs: resumedWithinMs },
    usualRuns: downMs > 10_000 ? 1 : 3,
    async run(stage, { random }) {
      const { ledger, site } = stage;
      const stop = new AbortController();
      await site.server.persist?.();
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

function halfOpen(sites: Sites): Fault {
  return onStage(sites, {
    name: `${sites.kind}-half-open`,
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

function loopBlocked(sites: Sites): Fault {
  return onStage(sites, {
    name: `${sites.kind}-loop-blocked`,
    about: 'the event loop of a consumer stands still for longer than a lease: another handles its messages',
    workers: 0,
    async run(stage) {
      const stalled = await stage.hire(2.5 * shortLeaseMs);
      const helper = await stage.hire();
      const publishing = stage.publishAll(50);
      await within(10_000, () => stalled.open.size > 0 || undefined);
      const held = [...stalled.open];
      await publishing;
      const taken = await within(30_000, () => held.some(n => helper.redelivered.has(n)) || undefined);
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
  /** Default: messages that are handled twice, as deliveries are at least once, and those whose confirmation was lost. */
  readonly allows?: NonNullable<Fault['allows']>;
  readonly name: string;
  readonly about: string;
  readonly within?: NonNullable<Fault['within']>;
  readonly usualRuns?: number;
  readonly workers?: number;
  run(stage: Stage, round: Round): Promise<Finding>;
}

function onStage(
  sites: Sites,
  { workers = 2, usualRuns = 5, allows = ['duplicated', 'recovered'], run, ...rest }: Play,
): Fault {
  return {
    ...rest,
    allows,
    usualRuns,
    async begin() {
      const site = await sites.open();
      return {
        async run(round) {
          await using stage = await Stage.set(site, workers);
          return await run(stage, round);
        },
        [Symbol.asyncDispose]: () => sites.close(site),
      };
    },
  };
}

/** Those of one kind of server, the ones that tell most first. */
export function faultsOf(sites: Sites): readonly Fault[] {
  return [
    consumerKilled(sites),
    brokerKilled(sites, 3_000),
    consumerTerminated(sites),
    producerKilled(sites),
    halfOpen(sites),
    loopBlocked(sites),
  ];
}

export const faults: readonly Fault[] = kindNames.flatMap(kind => faultsOf(ownSites(kind)));

/** Too long for a test. */
export const longFaults: readonly Fault[] = kindNames.flatMap(kind => [
  brokerKilled(ownSites(kind), 10_000),
  brokerKilled(ownSites(kind), 60_000),
  consumerKilled(ownSites(kind, 'usual'), 'usual'),
]);
