import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { postgresDriver } from '../../src/adapters/postgres.ts';
import { memoryDriver, messages, Queue } from '../../src/index.ts';
import { outbox } from '../../src/outbox.ts';

const keys = 640;

interface Work {
  work: { readonly n: number };
}

/** What takes messages out of a table, and how its statement that looks for them begins. */
export interface Subject {
  readonly claim: string;
  /** Publishes messages from this number, so many, and resolves when at most `left` of all are not handled. */
  pass(from: number, count: number, left: number): Promise<void>;
  close(): Promise<void>;
}

export type Start = (pool: pg.Pool) => Promise<Subject>;

const numbers = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ n: from + index }));

function claims(claim: string, options: { readonly fair?: true; readonly ordered?: true }): Start {
  return async pool => {
    const driver = postgresDriver({ pool, durability: 'asynchronous' });
    await driver.migrate();
    const queue = new Queue(driver, { messages: messages<Work>() });
    let handled = 0;
    await queue.subscribe('work', () => void handled++, { concurrency: 200, ...options });
    const isKeyed = Object.keys(options).length > 0;
    return {
      claim,
      pass: async (from, count, left) => {
        const keyOf = ({ n }: { n: number }) => (isKeyed ? { key: `key ${n % keys}` } : {});
        await queue.publishMany('work', numbers(from, count), keyOf);
        while (handled < from + count - left) await delay(1);
      },
      close: () => queue.close(),
    };
  };
}

const relay: Start = async pool => {
  const driver = outbox(memoryDriver({ maxMessages: 1_000 }), { pool });
  await driver.migrate();
  const queue = new Queue(driver, { messages: messages<Work>() });
  let handled = 0;
  await queue.subscribe('work', () => void handled++, { concurrency: 200 });
  return {
    claim: 'WITH busy',
    pass: async (from, count, left) => {
      const tx = await pool.connect();
      await tx.query('BEGIN');
      await queue.publishMany('work', numbers(from, count), ({ n }: { n: number }) => ({
        tx,
        key: `key ${n % keys}`,
      }));
      await tx.query('COMMIT');
      tx.release();
      while (handled < from + count - left) await delay(1);
    },
    close: () => queue.close(),
  };
};

export const subjects: Readonly<Record<string, Start>> = {
  plain: claims('WITH picked', {}),
  fair: claims('WITH RECURSIVE', { fair: true }),
  ordered: claims('WITH RECURSIVE', { ordered: true }),
  outbox: relay,
};
