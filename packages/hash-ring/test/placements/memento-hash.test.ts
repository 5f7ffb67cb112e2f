import { InvalidOptionError } from '@ashlar/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DuplicateNodeError, MementoHash, UnknownNodeError } from '../../src/index.ts';

const keys = Array.from({ length: 1_000 }, (_, i) => `user:${i}`);
const named = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`);
const answers = (placement: MementoHash) => keys.map(key => placement.get(key));

describe('MementoHash', () => {
  it('moves only the keys of the node that leaves, and only to the node that joins', () => {
    const step = fc.record({ join: fc.boolean(), which: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const placement = new MementoHash(named(8));
        let before = answers(placement);
        for (const [i, { join, which }] of steps.entries()) {
          const nodes = placement.nodes();
          const changed = join || nodes.length === 1 ? `joined-${i}` : nodes[which % nodes.length]!.id;
          if (placement.has(changed)) placement.remove(changed);
          else placement.add(changed);
          const after = answers(placement);
          for (const [at, id] of after.entries()) {
            if (id !== before[at]) expect([id, before[at]]).toContain(changed);
          }
          expect(placement.size).toBe(placement.nodes().length);
          before = after;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('shares evenly after many removals', () => {
    const placement = new MementoHash(named(100));
    for (let i = 0; i < 90; i++) placement.remove(`n${(i * 37) % 100}`);
    const counts = new Map<string, number>();
    for (let i = 0; i < 20_000; i++) {
      const id = placement.get(`user:${i}`);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    expect(Math.max(...counts.values())).toBeLessThan(2_000 * 1.08);
    expect(Math.min(...counts.values())).toBeGreaterThan(2_000 * 0.92);
  });

  it('depends on the order of removals, which its state carries', () => {
    const [one, other] = [new MementoHash(named(6)), new MementoHash(named(6))];
    for (const id of ['n1', 'n4', 'n2']) one.remove(id);
    for (const id of ['n2', 'n4', 'n1']) other.remove(id);
    expect(answers(one)).not.toEqual(answers(other));
    const restored = MementoHash.restore(JSON.parse(JSON.stringify(one.state())));
    expect(answers(restored)).toEqual(answers(one));
    restored.add('back');
    one.add('back');
    expect(answers(restored)).toEqual(answers(one));
    expect(restored.state()).toEqual(one.state());
  });

  it('forgets a removed bucket that was the last, and keeps zones in its state', () => {
    const placement = new MementoHash([{ id: 'a', zone: 'east' }, 'b']);
    placement.remove('b');
    expect(placement.state()).toEqual({ nodes: [{ id: 'a', weight: 1, zone: 'east' }], removed: [] });
    expect(() => placement.remove('b')).toThrow(UnknownNodeError);
    expect(() => placement.add('a')).toThrow(DuplicateNodeError);
  });

  it('is restored with any ids, also those that look like its own', () => {
    const placement = new MementoHash(['removed 1', 'x', 'removed 2', 'y']);
    placement.remove('x');
    expect(answers(MementoHash.restore(placement.state()))).toEqual(answers(placement));
  });

  it.each([
    [{ nodes: [] }, '`state.removed` is required'],
    [{ nodes: [], removed: [], node: [] }, '`state` has no option `node`; did you mean `nodes`?'],
    [{ nodes: [null], removed: [] }, '`state.removed` must hold each bucket whose node is null, once'],
    [{ nodes: [null], removed: [0, 0] }, '`state.removed` must hold each bucket whose node is null, once'],
    [{ nodes: ['a', 'a'], removed: [] }, 'node "a" is there already'],
  ])('refuses the state %j', (state, message) => {
    expect(() => MementoHash.restore(state as never)).toThrow(message);
  });

  it('has no weights', () => {
    expect(() => new MementoHash([{ id: 'a', weight: 0 }])).toThrow(InvalidOptionError);
  });
});
