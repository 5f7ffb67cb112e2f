import type { Delivery, Driver, OutgoingMessage } from '../../../src/index.ts';
import type { PoolClientLike, PoolLike } from '../../../src/transactions/pool.ts';

/** Where a process may die, in the order in which a message passes. */
export const handlerPoints = [
  'before BEGIN',
  'after BEGIN',
  'after the record',
  'before the effect',
  'after the effect',
  'after the outgoing message',
  'before COMMIT',
  'COMMIT sent',
  'after COMMIT',
  'before ack',
  'after ack',
] as const;
export const relayPoints = [
  'after the locks',
  'before publish',
  'after publish',
  'after the delete',
  'before the relay commits',
  'after the relay has committed',
] as const;
export type KillPoint = (typeof handlerPoints)[number] | (typeof relayPoints)[number];

function dieAt(point: KillPoint, chosen: string): void {
  if (point === chosen) process.kill(process.pid, 'SIGKILL');
}

const statements: readonly (readonly [
  text: RegExp,
  before: KillPoint | undefined,
  after: KillPoint | undefined,
])[] = [
  [/^BEGIN/, 'before BEGIN', 'after BEGIN'],
  [/pg_try_advisory_xact_lock[\s\S]*fingerprint/, undefined, 'after the record'],
  [/^INSERT INTO effects_/, 'before the effect', 'after the effect'],
  [/^INSERT INTO "\w+_outbox"/, undefined, 'after the outgoing message'],
  [/^COMMIT/, 'before COMMIT', 'after COMMIT'],
];
const relayStatements: typeof statements = [
  [/WITH busy[\s\S]*pg_try_advisory_xact_lock/, undefined, 'after the locks'],
  [/^DELETE FROM/, undefined, 'after the delete'],
];

/** A pool in whose statements the process dies. */
export function deadlyPool(pool: PoolLike, chosen: string, part: 'handler' | 'relay'): PoolLike {
  const known = part === 'handler' ? statements : relayStatements;
  return {
    connect: async () => {
      const client = await pool.connect();
      let hasDeleted = false;
      return new Proxy(client, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          if (name !== 'query') return value.bind(target);
          return async (...args: Parameters<PoolClientLike['query']>) => {
            const [first] = args as unknown as [string | { text: string }];
            const text = typeof first === 'string' ? first : first.text;
            const found = known.find(([pattern]) => pattern.test(text));
            hasDeleted ||= /^DELETE FROM/.test(text);
            const ends = part === 'relay' && hasDeleted && /^COMMIT/.test(text);
            if (found?.[1] !== undefined) dieAt(found[1], chosen);
            if (ends) dieAt('before the relay commits', chosen);
            const answer = value.apply(target, args) as Promise<unknown>;
            if (part === 'handler' && /^COMMIT/.test(text) && chosen === 'COMMIT sent') {
              // In the next round of the event loop it is with the system, and no answer is read
              setImmediate(() => dieAt('COMMIT sent', chosen));
            }
            const result = await answer;
            const isIdle =
              found?.[2] === 'after the locks' && (result as { rows: unknown[] }).rows.length === 0;
            if (found?.[2] !== undefined && !isIdle) dieAt(found[2], chosen);
            if (ends) dieAt('after the relay has committed', chosen);
            return result;
          };
        },
      });
    },
  };
}

/** A driver in whose calls the process dies. */
export function deadlyDriver<D extends Driver>(driver: D, chosen: string): D {
  return new Proxy(driver, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name === 'publish') {
        return async (...args: [string, readonly OutgoingMessage[]]) => {
          dieAt('before publish', chosen);
          const result = await target.publish(...args);
          dieAt('after publish', chosen);
          return result;
        };
      }
      if (name === 'consume') {
        return async function* (...args: Parameters<Driver['consume']>) {
          for await (const delivery of target.consume(...args)) yield deadly(delivery, chosen);
        };
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function deadly(delivery: Delivery, chosen: string): Delivery {
  const ack = delivery.ack.bind(delivery);
  delivery.ack = async options => {
    dieAt('before ack', chosen);
    await ack(options);
    dieAt('after ack', chosen);
  };
  return delivery;
}
