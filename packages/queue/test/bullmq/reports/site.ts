import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually, startTcpProxy, type TcpProxy } from '@workspace/services';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type BullmqLibrary, type BullmqOptions, bullmq } from '../../../src/adapters/bullmq.ts';
import { Reader } from '../../../src/conformance/subject.ts';
import type { Driver } from '../../../src/index.ts';
import { RedisSite } from '../../support/redis-site.ts';

/** BullMQ 5 and 6 have the same methods here, and types that are not each other's. */
export const libraries = { '6': six, '5': five } as unknown as Readonly<Record<string, typeof six>>;

export const soon = (attempt: () => Promise<void>): Promise<void> =>
  eventually(attempt, { withinMs: 20_000 });

interface Opened {
  readonly name: string;
  readonly bull: six.Queue;
  readonly driver: Driver;
  key(type: string): string;
  open(more?: Partial<BullmqOptions>): Driver;
  read(options?: ConstructorParameters<typeof Reader>[3]): Reader;
}

/** A Redis for the tests of a file. */
export class BullSite extends RedisSite {
  #proxy!: TcpProxy;

  constructor() {
    super();
    beforeAll(async () => {
      this.#proxy = await startTcpProxy({ target: this.server.port });
    });
    afterAll(() => this.#proxy?.stop());
  }

  /** A queue of BullMQ, as other code has it, and a driver over it, with leases that outlast a slow machine. */
  async begin(library: typeof six): Promise<Opened> {
    const name = `mail-${randomUUID()}`;
    const connection = { host: '127.0.0.1', port: this.#proxy.port, maxRetriesPerRequest: null };
    const bull = new library.Queue(name, { connection });
    onTestFinished(() => bull.close());
    const open = (more: Partial<BullmqOptions> = {}): Driver => {
      const driver = bullmq({ queue: bull, leaseMs: 30_000, library: library as BullmqLibrary, ...more });
      onTestFinished(() => driver[Symbol.asyncDispose]());
      return driver;
    };
    const driver = open();
    await driver.declare(name, 'default');
    const read: Opened['read'] = options => {
      const reader = new Reader(driver, name, 'default', options);
      onTestFinished(() => reader[Symbol.asyncDispose]());
      return reader;
    };
    return { name, bull, driver, open, read, key: type => `bull:${name}:${type}` };
  }

  /** Until the end of the test, everything takes this much longer, each way. */
  delay(ms: number): void {
    this.#proxy.delay(ms);
    onTestFinished(() => this.#proxy.delay(0));
  }

  /** The server does what is sent, in this order, and every connection ends before its answers come. */
  async answerIsLost(...sent: readonly (() => Promise<unknown>)[]): Promise<void> {
    const works: Promise<unknown>[] = [];
    this.#proxy.hush();
    for (const send of sent) {
      works.push(send());
      await pause(500);
    }
    this.#proxy.cut();
    this.#proxy.resume();
    await Promise.all(works);
  }
}
