import { setTimeout as delay } from 'node:timers/promises';
import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PoolLike, type PostgresStore, postgresStore } from '../../src/adapters/postgres.ts';
import type { MakeSubject } from '../../src/conformance.ts';
import { type Store, StoreUnavailableError } from '../../src/index.ts';
import { intercepted } from '../support/stores.ts';
import { testsFor } from '../support/suite-tests.ts';
import { Tables } from './tables.ts';

const rewrites = new Map<Mutant, number>();

/** What a backend over SQL could do wrong, and the test that finds it. */
const mutants: readonly (readonly [what: string, caughtBy: string, mutant: Mutant])[] = [
  [
    'a claim goes on with the token of the one that ended',
    'a claim ends at its time, and the next token is greater',
    rewritten(/greatest\(t\.token \+ 1.*? END/s, 't.token END'),
  ],
  [
    'a claim is taken from whoever has it',
    'one holder has a name, and renews it with the same token',
    rewritten(/WHERE t\.value IS NULL OR t\.value = excluded\.value OR .*?\n/, '\n'),
  ],
  [
    'a renewal does not move the end',
    'a renewal moves the end',
    rewritten(/(DO UPDATE SET value = excluded\.value), ends_at = .*?,\n/s, '$1,\n'),
  ],
  [
    'release ignores the token',
    'release frees the name that is held with the token',
    rewritten('AND t.token = $2::bigint', 'AND $2::bigint > 0'),
  ],
  [
    'a key is created over another',
    'of many that create a key, one succeeds',
    rewritten(/WHERE NOT \(t\.value IS NOT NULL AND .*?\)\) RETURNING/s, 'RETURNING'),
  ],
  [
    'a replaced version is compared in the snapshot only',
    'fifty writers count without losing one',
    rewritten(
      /AND t\.version = \$5::text/,
      'AND EXISTS (SELECT FROM TABLE s WHERE s.kind = 0 AND s.key = $1::bytea AND s.version = $5::text)',
    ),
  ],
  [
    'nothing that expired is swept',
    'a watch yields an expiry as a delete',
    rewritten(/^WITH due .*$/s, "SELECT '0' AS due"),
  ],
  [
    'deletes are not told',
    'a watch yields what changes under its prefix after the call',
    rewritten(/(SET value = NULL.*?), changed = pg_current_xact_id\(\)/s, '$1'),
  ],
  [
    'a watch says nothing when changes were missed',
    'after the loss of everything, a watch yields reset and goes on',
    { watch: withoutResets },
  ],
  [
    'a watch says nothing after a broken connection',
    'after a dropped connection the store goes on, and a watch misses nothing',
    { watch: withoutResets },
  ],
];

interface Mutant {
  /** Changes the statements. */
  readonly rewrite?: (text: string, table: string) => string;
  /** Changes what a watch tells. */
  readonly watch?: (changes: ReturnType<Store['watch']>) => ReturnType<Store['watch']>;
}

/** Of all statements one at least must be changed, or the mutant is none. */
function rewritten(from: string | RegExp, to: string): Mutant {
  const mutant: Mutant = {
    rewrite(text, table) {
      const changed = text.replace(from, to.replace('TABLE', table));
      if (changed !== text) rewrites.set(mutant, (rewrites.get(mutant) ?? 0) + 1);
      return changed;
    },
  };
  rewrites.set(mutant, 0);
  return mutant;
}

async function* withoutResets(
  changes: ReturnType<Store['watch']>,
): ReturnType<Store['watch']> & AsyncGenerator {
  for await (const change of changes) if (change.type !== 'reset') yield change;
}

function rewriting(pool: pg.Pool, rewrite: (text: string) => string): PoolLike {
  return {
    async connect() {
      const client = await pool.connect();
      return new Proxy(client, {
        get(target, property) {
          const value = Reflect.get(target, property, target) as unknown;
          if (typeof value !== 'function') return value;
          if (property !== 'query') return value.bind(target);
          return (query: pg.QueryConfig) => target.query({ ...query, text: rewrite(query.text) });
        },
      });
    },
  };
}

const features = { others: true, loses: true, breaks: true };

describeWith('postgres', 'the suite finds a store over PostgreSQL in which', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  for (const [what, caughtBy, mutant] of mutants) {
    it.concurrent(what, async () => {
      const makeSubject: MakeSubject = async () => {
        const tables = new Tables(server.url);
        const { table, admin } = tables;
        await tables.store().migrate();
        const pool = new pg.Pool({ connectionString: server.url, application_name: table, max: 4 });
        pool.on('error', () => {});
        const store: PostgresStore = postgresStore({
          pool: rewriting(pool, text => mutant.rewrite?.(text, table) ?? text),
          table,
          durability: 'asynchronous',
          timeoutMs: 10_000,
        });
        const { watch } = mutant;
        const methods: Partial<Store> =
          watch === undefined ? {} : { watch: (...args) => watch(store.watch(...args)) };
        return {
          store: intercepted(store, methods),
          other: async () => tables.store(),
          pass: () => delay(1),
          lose: async () => void (await admin.query(`TRUNCATE ${table}`)),
          break: () => tables.endSessions(),
          async [Symbol.asyncDispose]() {
            await store.close();
            await pool.end();
            await tables[Symbol.asyncDispose]();
          },
        };
      };
      const verdict = await testsFor(makeSubject, features).get(caughtBy)!().catch((error: unknown) => error);
      expect(verdict).toBeInstanceOf(Error);
      // that would be a statement that the server cannot execute
      expect(verdict).not.toBeInstanceOf(StoreUnavailableError);
      expect(rewrites.get(mutant)).not.toBe(0);
    });
  }
});
