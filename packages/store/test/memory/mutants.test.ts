import { ManualClock } from '@ashlar/core/testing';
import { expect, it } from 'vitest';
import { type ManagedStore, memoryStore, type Store } from '../../src/index.ts';
import { intercepted } from '../support/stores.ts';
import { testsFor } from '../support/suite-tests.ts';

type Mutant = (store: ManagedStore) => Partial<Store>;

/** What a backend could do wrong, and the test that finds it. */
const mutants: readonly (readonly [what: string, caughtBy: string, mutant: Mutant])[] = [
  [
    'versions count writes of a key, and start again after a delete',
    'every write has a version of its own, also of equal bytes and after a delete',
    store => {
      const counts = new Map<string, number>();
      return {
        async set(key, value) {
          await store.set(key, value);
          counts.set(key, (counts.get(key) ?? 0) + 1);
          return String(counts.get(key));
        },
        async delete(key) {
          counts.delete(key);
          return store.delete(key);
        },
      };
    },
  ],
  [
    'compares and sets in two steps',
    'fifty writers count without losing one',
    store => ({
      async set(key, value, { ifVersion, ...options } = {}) {
        if (ifVersion !== undefined && ifVersion !== (await store.get(key))?.version) {
          return store.set(key, value, { ifVersion });
        }
        return store.set(key, value, options);
      },
    }),
  ],
  [
    'a set without a time keeps the old one',
    'a later set decides how long the value stays',
    store => ({
      async set(key, value, options = {}) {
        if (options.ttlMs !== undefined || (await store.get(key)) === undefined) {
          return store.set(key, value, options);
        }
        return store.set(key, value, { ...options, ttlMs: 30 });
      },
    }),
  ],
  [
    'lists in the order of UTF-16',
    'the order is that of the UTF-8 bytes',
    store => ({
      async *list(prefix) {
        const entries = [];
        for await (const entry of store.list(prefix)) entries.push(entry);
        yield* entries.sort((a, b) => (a.key < b.key ? -1 : 1));
      },
    }),
  ],
  [
    'pages by number, so that it passes over keys when others go',
    'while others write, a key that stays comes exactly once',
    store => ({
      async *list(prefix) {
        for (let at = 0; ; at += 100) {
          const page = [];
          let index = 0;
          for await (const entry of store.list(prefix))
            if (index++ >= at && page.length < 100) page.push(entry);
          yield* page;
          if (page.length < 100) return;
        }
      },
    }),
  ],
  [
    'a prefix is a pattern',
    'a prefix means its own characters only',
    store => ({
      async *list(prefix) {
        const pattern = new RegExp(
          `^${prefix.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(/%/g, '.*')}`,
          's',
        );
        for await (const entry of store.list('')) if (pattern.test(entry.key)) yield entry;
      },
    }),
  ],
  [
    'a watch begins when it is first read',
    'a watch yields what changes under its prefix after the call',
    store => ({
      async *watch(prefix, options) {
        yield* store.watch(prefix, options);
      },
    }),
  ],
  [
    'a watch says nothing of deletes that nobody asked for',
    'a watch yields an expiry as a delete',
    store => ({
      watch: (prefix, options) => onlyPuts(store.watch(prefix, options)),
    }),
  ],
  [
    'a watch that is ahead of the reader drops the rest',
    'the last state is never missed while many write',
    store => ({
      watch: (prefix, options) => everyOther(store.watch(prefix, options)),
    }),
  ],
  [
    'a new claim of the same holder goes on with the token of the one that ended',
    'a claim ends at its time, and the next token is greater',
    store => {
      const tokens = new Map<string, bigint>();
      return {
        async claim(name, holder, ttlMs) {
          const claim = await store.claim(name, holder, ttlMs);
          if (claim === undefined) return undefined;
          const token = tokens.get(`${name} ${holder}`) ?? claim.token;
          tokens.set(`${name} ${holder}`, token);
          return { ...claim, token };
        },
      };
    },
  ],
  [
    'looks whether a name is free, then takes it',
    'of a thousand contenders one holds at a time',
    store => {
      let last = 0n;
      const held = new Map<string, { holder: string; token: bigint }>();
      return {
        async claim(name, holder, ttlMs) {
          const found = held.get(name);
          await store.get(name);
          if (found !== undefined && found.holder !== holder) return undefined;
          held.set(name, { holder, token: ++last });
          return { token: last, remainingMs: ttlMs };
        },
        async release(name, token) {
          return held.get(name)?.token === token && held.delete(name);
        },
      };
    },
  ],
  [
    'release frees whoever holds the name',
    'release frees the name that is held with the token',
    store => {
      const tokens = new Map<string, bigint>();
      return {
        async claim(...args) {
          const claim = await store.claim(...args);
          if (claim !== undefined) tokens.set(args[0], claim.token);
          return claim;
        },
        release: name => store.release(name, tokens.get(name) ?? 0n),
      };
    },
  ],
];

async function* onlyPuts(changes: ReturnType<Store['watch']>): ReturnType<Store['watch']> & AsyncGenerator {
  for await (const change of changes) if (change.type !== 'delete') yield change;
}

async function* everyOther(changes: ReturnType<Store['watch']>): ReturnType<Store['watch']> & AsyncGenerator {
  let index = 0;
  for await (const change of changes) if (index++ % 2 === 0) yield change;
}

for (const [what, caughtBy, mutant] of mutants) {
  it(`finds a store in which ${what}`, async () => {
    const clock = new ManualClock();
    const tests = testsFor(async () => {
      const store = memoryStore({ clock });
      return {
        store: intercepted(store, mutant(store)),
        pass: ms => clock.advance(ms),
        [Symbol.asyncDispose]: () => store.close(),
      };
    });
    await expect(tests.get(caughtBy)!()).rejects.toThrow();
  });
}

it('a store whose answers take longer than what ends in the suite is none of these', async () => {
  const clock = new ManualClock();
  await using store = memoryStore({ clock });
  const slow = intercepted(store, {
    async set(...args) {
      await clock.advance(50);
      return store.set(...args);
    },
  });
  const subject = { store: slow, pass: (ms: number) => clock.advance(ms), async [Symbol.asyncDispose]() {} };
  const tests = testsFor(async () => subject);
  await tests.get('a set that was refused leaves the time as it was')!();
});
