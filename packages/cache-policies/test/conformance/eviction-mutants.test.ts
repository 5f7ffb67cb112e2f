import { describe, expect, it } from 'vitest';
import { evictionConformance } from '../../src/conformance.ts';
import type { Bound, Eviction, EvictionReason } from '../../src/index.ts';
import { PlainMap } from '../support/models/plain-map.ts';

type Reason = EvictionReason;

class TooMany<K, V> extends PlainMap<K, V> {
  protected override tooMuch(weight: number): boolean {
    return this.used + weight > this.max + 1;
  }
}
class TooFew<K, V> extends PlainMap<K, V> {
  protected override tooMuch(weight: number): boolean {
    return this.held.size > 0 && this.used + weight >= this.max;
  }
}
class NotifiesEarly<K, V> extends PlainMap<K, V> {
  protected override evict(): void {
    const [first] = this.held;
    this.bound.onEvict?.(first![0], first![1].value, 'capacity');
    this.drop(...first!);
  }
}
class NotifiesInTheMiddle<K, V> extends PlainMap<K, V> {
  protected override tell(key: K, value: V, reason: Reason): void {
    this.bound.onEvict?.(key, value, reason);
  }
}
class NotifiesTwice<K, V> extends PlainMap<K, V> {
  protected override tell(key: K, value: V, reason: Reason): void {
    super.tell(key, value, reason);
    if (reason === 'capacity') super.tell(key, value, reason);
  }
}
class SilentReplace<K, V> extends PlainMap<K, V> {
  protected override tell(key: K, value: V, reason: Reason): void {
    if (reason !== 'replaced') super.tell(key, value, reason);
  }
}
class WrongReason<K, V> extends PlainMap<K, V> {
  protected override tell(key: K, value: V, reason: Reason): void {
    super.tell(key, value, reason === 'deleted' ? 'capacity' : reason);
  }
}
class StopsNotifying<K, V> extends PlainMap<K, V> {
  protected override flush(): void {
    const { onEvict } = this.bound;
    this.bound.onEvict = (...notice) => {
      onEvict!(...notice);
    };
    try {
      super.flush();
    } catch (error) {
      this.held.clear();
      throw error;
    }
  }
}
class SilentClear<K, V> extends PlainMap<K, V> {
  override clear(): void {
    this.held.clear();
    this.used = 0;
  }
}
class ClearForgetsWeight<K, V> extends PlainMap<K, V> {
  override clear(): void {
    const { used } = this;
    super.clear();
    this.used = Math.min(used, this.max - 1);
  }
}
class TakesUndefined<K, V> extends PlainMap<K, V> {
  protected override refuse(): void {}
}
class FalsyIsMissing<K, V> extends PlainMap<K, V> {
  override get(key: K): V | undefined {
    return super.get(key) || undefined;
  }
}
class NamesOnly<K, V> extends PlainMap<K, V> {
  override set(key: K, value: V): this {
    return super.set((typeof key === 'number' ? String(key) : key) as K, value);
  }
  override peek(key: K): V | undefined {
    return super.peek((typeof key === 'number' ? String(key) : key) as K);
  }
}
class WeighsAgain<K, V> extends PlainMap<K, V> {
  override resize(max: number): void {
    for (const [key, { value }] of this.held) this.weigh(key, value);
    super.resize(max);
  }
}
class WeighsLate<K, V> extends PlainMap<K, V> {
  override set(key: K, value: V): this {
    const old = this.held.get(key);
    if (old !== undefined) this.replaced(key, old);
    return super.set(key, value);
  }
}
class TakesAnyWeight<K, V> extends PlainMap<K, V> {
  protected override weigh(key: K, value: V): number {
    return this.bound.weigh?.(key, value) ?? 1;
  }
}
class KeepsOldWeight<K, V> extends PlainMap<K, V> {
  protected override weigh(key: K, value: V): number {
    return this.held.get(key)?.weight ?? super.weigh(key, value);
  }
}
class HeavyClears<K, V> extends PlainMap<K, V> {
  override set(key: K, value: V): this {
    if (this.weigh(key, value) > this.max) for (const _ of this) this.evict();
    return super.set(key, value);
  }
}
class LazyResize<K, V> extends PlainMap<K, V> {
  override resize(max: number): void {
    if (max >= this.used) super.resize(max);
    else this.max = max;
  }
}
class AnyBound<K, V> extends PlainMap<K, V> {
  protected override check(): void {}
}
class AlwaysDeleted<K, V> extends PlainMap<K, V> {
  override delete(key: K): boolean {
    super.delete(key);
    return true;
  }
}
class IteratesOverACopy<K, V> extends PlainMap<K, V> {
  override *[Symbol.iterator](): IterableIterator<[K, V]> {
    const first = [...this.held].slice(0, this.max - 1);
    for (const [key, { value }] of first) yield [key, value];
  }
}
class PeekIsAHit<K, V> extends PlainMap<K, V> {
  override peek(key: K): V | undefined {
    const held = this.held.get(key);
    if (held === undefined) return undefined;
    this.held.delete(key);
    this.held.set(key, held);
    return held.value;
  }
}

type Make = new <K, V>(bound: Bound<K, V>) => PlainMap<K, V>;

/** Maps that break a promise each, with a test that must notice. */
const broken: readonly [Make, string][] = [
  [TooMany, 'holds one entry'],
  [TooFew, 'fills up before it evicts, also after it has grown'],
  [NotifiesEarly, 'notifies after the entry has left'],
  [NotifiesInTheMiddle, 'may be used while it notifies'],
  [NotifiesTwice, 'keeps its books over a long and mixed life'],
  [SilentReplace, 'replaces a value without taking more room'],
  [WrongReason, 'deletes, and takes back what was deleted'],
  [StopsNotifying, 'notifies of every entry, also when `onEvict` throws'],
  [SilentClear, 'clears, and is as new'],
  [ClearForgetsWeight, 'clears, and is as new'],
  [TakesUndefined, 'refuses undefined, and has not changed then'],
  [FalsyIsMissing, 'keeps falsy values, and any kind of key'],
  [NamesOnly, 'keeps falsy values, and any kind of key'],
  [WeighsAgain, 'asks for a weight once, when the entry is stored'],
  [WeighsLate, 'has not changed when weigh fails'],
  [TakesAnyWeight, 'has not changed when weigh fails'],
  [KeepsOldWeight, 'is bounded by weight, also when weights change'],
  [HeavyClears, 'does not admit what is heavier than the bound, and keeps the rest'],
  [LazyResize, 'shrinks at once and grows again'],
  [AnyBound, 'refuses what is no bound, and options that it does not have'],
  [AlwaysDeleted, 'deletes, and takes back what was deleted'],
  [IteratesOverACopy, 'iterates over every entry, also while entries leave and come'],
  [PeekIsAHit, 'does not count peek, has and iteration as accesses'],
];

describe('the conformance suite', () => {
  it('passes a plain map', () => {
    expect(failures(bound => new PlainMap(bound), quick)).toEqual([]);
  });

  it.each(broken)('fails %o in "%s"', (Broken, test) => {
    expect(
      failures(
        bound => new Broken(bound),
        name => name === test,
      ),
    ).toEqual([test]);
  });
});

/** A plain map takes the longer for an eviction the more there were. */
const quick = (test: string) => test !== 'holds many entries';

function failures(eviction: Eviction, chosen: (test: string) => boolean): string[] {
  const failed: string[] = [];
  const run = (name: string, body: () => void | Promise<void>) => {
    if (!chosen(name)) return;
    try {
      void body();
    } catch {
      failed.push(name);
    }
  };
  const runner = { describe: (_: string, body: () => void) => body(), it: Object.assign(run, { skip() {} }) };
  evictionConformance(runner, eviction, { name: 'broken' });
  return failed;
}
