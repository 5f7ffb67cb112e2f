import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '@ashlar/core';
import { StoreUnavailableError } from '../src/errors.ts';
import { type Claim, Fence, type ManagedStore, memoryStore } from '../src/index.ts';
import type { Kind } from './client.ts';
import { type Fault, Tally } from './fault.ts';
import { Site } from './site.ts';

const contenders = 1_000;
const stores = 4;
const ttlMs = 5_000;
const longestPauseMs = 2_000;

interface Arena extends AsyncDisposable {
  readonly stores: readonly ManagedStore[];
}

/** A thousand at once ask for one name, again and again until it was had often enough: one has it at a time. */
export function contendersOf(kind: Kind | 'memory', tenures = 30): Fault {
  return {
    name: `${kind}-contenders`,
    about: `${contenders} contenders for one name: one holds it at a time, with a greater token each time, ${tenures} times`,
    usualRuns: 5,
    async begin() {
      const arena = kind === 'memory' ? memoryArena() : await serverArena(kind);
      return {
        async run({ index, random }) {
          const tally = new Tally();
          const contest = new Contest(`name ${index}`, tenures, tally, random);
          const all = Array.from({ length: contenders }, (_, number) =>
            contest.contend(arena.stores[number % stores]!, `contender ${number}`),
          );
          await Promise.all(all);
          return tally.finding();
        },
        [Symbol.asyncDispose]: () => arena[Symbol.asyncDispose](),
      };
    },
  };
}

class Contest {
  readonly #name: string;
  readonly #wanted: number;
  readonly #tally: Tally;
  readonly #random: Random;
  readonly #fence = new Fence();
  #tenures = 0;
  #holding = 0;
  #last = { token: 0n, holder: '', isReleased: true };

  constructor(name: string, tenures: number, tally: Tally, random: Random) {
    this.#name = name;
    this.#wanted = tenures;
    this.#tally = tally;
    this.#random = random;
  }

  async contend(store: ManagedStore, holder: string): Promise<void> {
    while (this.#tenures < this.#wanted) {
      const claim = await this.#ask(() => store.claim(this.#name, holder, ttlMs));
      if (claim !== undefined) await this.#hold(store, holder, claim);
      await delay(longestPauseMs * this.#random());
    }
  }

  async #hold(store: ManagedStore, holder: string, { token }: Claim): Promise<void> {
    this.#tenures++;
    if (++this.#holding > 1) this.#tally.duplicated++;
    const last = this.#last;
    // only a release that failed may leave its holder the right, and the token with it
    const isRenewed = token === last.token && holder === last.holder && !last.isReleased;
    this.#tally.expect(token > last.token || isRenewed, `token ${token} was given after ${last.token}`);
    const tenure = { token, holder, isReleased: false };
    this.#last = tenure;
    await this.#ask(() => store.get(this.#name));
    this.#fence.admit({ token, holder });
    this.#holding--;
    const released = await this.#ask(() => store.release(this.#name, token));
    tenure.isReleased = released !== undefined;
  }

  async #ask<T>(work: () => Promise<T>): Promise<T | undefined> {
    this.#tally.operations++;
    try {
      return await work();
    } catch (error) {
      // a thousand at once may have to wait longer than the store lets them
      if (error instanceof StoreUnavailableError) return undefined;
      throw error;
    }
  }
}

function memoryArena(): Arena {
  const owner = memoryStore();
  const others = Array.from({ length: stores - 1 }, () => memoryStore({ port: owner.connect() }));
  return { stores: [owner, ...others], [Symbol.asyncDispose]: () => owner.close() };
}

async function serverArena(kind: Kind): Promise<Arena> {
  const site = await Site.start(kind);
  const clients = Array.from({ length: stores }, () => site.connect());
  return {
    stores: clients.map(({ store }) => store),
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map(client => client[Symbol.asyncDispose]()));
      await site[Symbol.asyncDispose]();
    },
  };
}
