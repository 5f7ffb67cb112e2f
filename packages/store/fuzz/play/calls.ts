import type { Entry, ManagedStore } from '../../src/index.ts';
import { nonsense } from '../plan/nonsense.ts';
import type { Call, Seen } from '../plan/plan.ts';
import type { Result, Sent } from './history.ts';

/** What anybody has seen of versions and tokens, in the order of sight. */
export class Sight {
  readonly #seen = new Map<string, unknown[]>();
  #written = 0;

  version(key: string, version: string): void {
    this.#list(`version of ${key}`).push(version);
  }

  token(name: string, token: bigint): void {
    this.#list(`token of ${name}`).push(token);
  }

  /** The arguments that the plan leaves open; undefined where there is nothing to send. */
  sentBy(call: Call): Sent | undefined {
    switch (call.op) {
      case 'set': {
        const values = new Map([[call.key, this.#value()]]);
        if (call.ifVersion === undefined) return { values };
        const ifVersion =
          call.ifVersion === 'absent'
            ? 'absent'
            : this.#pick<string>(`version of ${call.key}`, call.ifVersion);
        return ifVersion === undefined ? undefined : { values, ifVersion };
      }
      case 'setMany':
        return { values: new Map(call.keys.map(key => [key, this.#value()])) };
      case 'delete': {
        if (call.ifVersion === undefined) return {};
        const ifVersion = this.#pick<string>(`version of ${call.key}`, call.ifVersion);
        return ifVersion === undefined ? undefined : { ifVersion };
      }
      case 'claim': {
        if (call.above === undefined) return {};
        const { of, plus } = call.above;
        const nowUs = BigInt(Date.now()) * 1_000n;
        const from = {
          token: this.#pick<bigint>(`token of ${call.name}`, 'last'),
          now: nowUs,
          limit: nowUs + dayUs,
        };
        const above = from[of];
        return above === undefined || above + BigInt(plus) < 0n ? {} : { above: above + BigInt(plus) };
      }
      case 'release': {
        const { token } = call;
        const picked = this.#pick<bigint | string>(`token of ${call.name}`, token);
        return picked === undefined ? undefined : { token: BigInt(picked) };
      }
      default:
        return {};
    }
  }

  #value(): string {
    return `w${this.#written++}`;
  }

  #pick<T>(what: string, which: Seen | { readonly text: string }): T | undefined {
    if (typeof which === 'object') return which.text as T;
    const list = this.#list(what);
    return (which === 'first' ? list[0] : list.at(-1)) as T | undefined;
  }

  #list(what: string): unknown[] {
    const list = this.#seen.get(what) ?? [];
    this.#seen.set(what, list);
    return list;
  }
}

const dayUs = 86_400_000_000n;

/** Makes the call, and notes what it shows. */
export async function made(store: ManagedStore, call: Call, sent: Sent, sight: Sight): Promise<Result> {
  const options = (ttlMs: number | undefined, ifVersion: string | undefined) => ({
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(ifVersion === undefined ? {} : { ifVersion }),
  });
  const noted = (entries: readonly (Entry | undefined)[]) => {
    for (const entry of entries) if (entry !== undefined) sight.version(entry.key, entry.version);
    return entries;
  };
  switch (call.op) {
    case 'get':
      return { entries: noted([await store.get(call.key)]) };
    case 'getMany':
      return { entries: noted(await store.getMany(call.keys)) };
    case 'list': {
      const listed: Entry[] = [];
      for await (const entry of store.list(call.prefix)) listed.push(entry);
      noted(listed);
      return { listed };
    }
    case 'set': {
      const value = valueFor(sent.values!.get(call.key)!, call.bytes);
      const setting = store.set(call.key, value, options(call.ttlMs, sent.ifVersion));
      value.fill(0); // the caller's again
      const version = await setting;
      sight.version(call.key, version);
      return { version };
    }
    case 'setMany': {
      const entries = [...sent.values!].map(([key, id]) => [key, valueFor(id, 0)] as const);
      await store.setMany(entries, options(call.ttlMs, undefined));
      return { done: true };
    }
    case 'delete':
      return { did: await store.delete(call.key, options(undefined, sent.ifVersion)) };
    case 'claim': {
      const { above } = sent;
      const claim = await store.claim(
        call.name,
        call.holder,
        call.ttlMs,
        above === undefined ? {} : { above },
      );
      if (claim !== undefined) sight.token(call.name, claim.token);
      return { claim };
    }
    case 'release':
      return { did: await store.release(call.name, sent.token!) };
    case 'nonsense':
      await nonsense[call.what]!.call(store);
      return { done: true };
  }
}

function valueFor(id: string, more: number): Uint8Array {
  const value = new Uint8Array(id.length + 1 + more);
  new TextEncoder().encodeInto(`${id}.`, value);
  return value;
}
