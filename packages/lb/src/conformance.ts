import assert from 'node:assert/strict';
import {
  boolean,
  functionOf,
  number,
  type RulesFor,
  readOptions,
  record,
  required,
  seededRandom,
  text,
} from '@ashlar/core';
import { runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
import { assertShares, Bench, candidate, type Mutable } from './conformance/bench.ts';
import type { PolicyFactory } from './policy.ts';

export type { Skip, TestRunner } from '@ashlar/core/testing';

export interface PolicyFeatures {
  /** Shares follow the weights. */
  readonly weighted?: boolean;
  /** Equal keys go to the same candidate. */
  readonly keyed?: boolean;
  /** A candidate that fails, however fast, gets next to nothing, and its share again after it has recovered. */
  readonly failureAware?: boolean;
  /** How far a share may be from the expected one, as a part of it. Default: 0.1. */
  readonly tolerance?: number;
}

export interface PolicyConformance {
  /** The name of the policy in the name of the suite. */
  readonly name: string;
  readonly features?: PolicyFeatures;
  readonly skip?: readonly Skip[];
}

const features = /* @__PURE__ */ (() =>
  ({
    weighted: boolean(false),
    keyed: boolean(false),
    failureAware: boolean(false),
    tolerance: number(0.1, { above: 0, max: 1 }),
  }) satisfies RulesFor<PolicyFeatures>)();

const rules = /* @__PURE__ */ (() =>
  ({
    name: required(text()),
    features: record(features),
    skip: skipRule,
  }) satisfies RulesFor<PolicyConformance>)();

const policyFactory = /* @__PURE__ */ required(
  /* @__PURE__ */ functionOf<PolicyFactory>(),
  'such as `roundRobin()`',
);

type Tests = Record<string, () => void>;

/**
 * The tests that every policy must pass. Requests are settled at once, except where a test says otherwise. Randomness is
 * seeded, so a policy passes always or never.
 *
 * @throws InvalidOptionError
 */
export function policyConformance(
  runner: TestRunner,
  makePolicy: PolicyFactory,
  options: PolicyConformance,
): void {
  runnerRule(runner, 'runner');
  const { name, features, skip } = readOptions('policyConformance', options, rules);
  const { tolerance } = features;
  policyFactory(makePolicy, 'makePolicy');
  const tests = {
    ...eligibility(makePolicy),
    ...shares(makePolicy, tolerance),
    ...(features.weighted ? weightedShares(makePolicy, tolerance) : {}),
    ...(features.keyed ? stickiness(makePolicy) : {}),
    ...(features.failureAware ? failures(makePolicy, tolerance) : {}),
  };
  suite(runner, `the policy ${name}`, tests, skip);
}

function eligibility(makePolicy: PolicyFactory): Tests {
  return {
    'returns none where none is eligible'() {
      const bench = new Bench(makePolicy);
      bench.update([]);
      assert.equal(bench.pick(), undefined);
    },
    'gives the only one, again and again'() {
      const bench = new Bench(makePolicy);
      const [only] = bench.join('a');
      for (let i = 0; i < 10; i++) assert.equal(bench.pick(`key ${i}`), only);
    },
    'never gives one that is to be skipped, and finds the last that is not'() {
      const bench = new Bench(makePolicy);
      const all = bench.join('a', 'b', 'c', 'd', 'e');
      for (let i = 0; i < 200; i++) {
        const left = all[i % all.length];
        assert.equal(
          bench.pick(`key ${i}`, candidate => candidate !== left),
          left,
        );
      }
      assert.equal(
        bench.pick('key', () => true),
        undefined,
      );
    },
    'gives only candidates of the latest update, while they join, leave and change their weights'() {
      const bench = new Bench(makePolicy);
      const random = seededRandom(7);
      const pool = Array.from({ length: 12 }, (_, index) => candidate(`pool ${index}`));
      for (let round = 0; round < 50; round++) {
        const eligible = pool.filter(() => random() < 0.5);
        for (const one of eligible) one.weight = random() < 0.2 ? 1 + Math.floor(random() * 9) : one.weight;
        bench.update(eligible);
        for (let i = 0; i < 20; i++) {
          const picked = bench.pick(`key ${i}`);
          assert.ok(eligible.length === 0 ? picked === undefined : eligible.includes(picked!));
        }
      }
    },
    'goes on after failures, and after requests that never end'() {
      const bench = new Bench(makePolicy);
      const all = bench.join('a', 'b', 'c');
      for (let i = 0; i < 300; i++) {
        const picked = bench.hold(`key ${i}`);
        assert.ok(all.includes(picked!));
        const outcome = { ok: i % 2 === 0, latencyMs: i, error: new Error('no'), retryAfterMs: 50 };
        if (i % 3 !== 0) bench.release(picked!, outcome);
      }
    },
    'gives equal results for equal calls'() {
      const [one, two] = [new Bench(makePolicy), new Bench(makePolicy)];
      for (const bench of [one, two]) bench.join('a', 'b', 'c', 'd');
      for (let i = 0; i < 200; i++) {
        const key = i % 2 === 0 ? `key ${i}` : undefined;
        assert.equal(one.hold(key)?.endpoint.id, two.hold(key)?.endpoint.id);
      }
    },
  };
}

function shares(makePolicy: PolicyFactory, tolerance: number): Tests {
  const even = (bench: Bench, all: readonly Mutable[], skipped?: Mutable) => {
    const expected = new Map(all.filter(one => one !== skipped).map(one => [one.endpoint.id, 1]));
    assertShares(
      bench.count(candidate => candidate === skipped),
      expected,
      tolerance,
    );
  };
  return {
    'gives all of them equal shares'() {
      const bench = new Bench(makePolicy);
      even(bench, bench.join('a', 'b', 'c', 'd', 'e'));
    },
    'gives the others equal shares while one is skipped'() {
      const bench = new Bench(makePolicy);
      const all = bench.join('a', 'b', 'c', 'd', 'e');
      even(bench, all, all[2]);
    },
    'gives one that joins its share'() {
      const bench = new Bench(makePolicy);
      bench.join('a', 'b', 'c');
      bench.count();
      even(bench, bench.join('a', 'b', 'c', 'd', 'e'));
    },
  };
}

function weightedShares(makePolicy: PolicyFactory, tolerance: number): Tests {
  const weights = new Map([
    ['a', 1],
    ['b', 2],
    ['c', 3],
    ['d', 6],
  ]);
  return {
    'gives shares by weight'() {
      const bench = new Bench(makePolicy);
      bench.update(Array.from(weights, ([id, weight]) => candidate(id, weight)));
      assertShares(bench.count(), weights, tolerance);
    },
    'follows a change of weight'() {
      const bench = new Bench(makePolicy);
      const all = bench.join('a', 'b', 'c', 'd');
      for (const one of all) one.weight = weights.get(one.endpoint.id)!;
      bench.update(all);
      assertShares(bench.count(), weights, tolerance);
    },
  };
}

function failures(makePolicy: PolicyFactory, tolerance: number): Tests {
  return {
    'gives next to nothing to one that fails at once, and its share again when it is well'() {
      const bench = new Bench(makePolicy);
      const [failing, ...others] = bench.join('a', 'b', 'c', 'd', 'e');
      let failed = 0;
      for (let i = 0; i < 5_000; i++) {
        const picked = bench.hold()!;
        if (picked === failing) failed++;
        bench.release(picked, picked === failing ? { ok: false, latencyMs: 0 } : { ok: true, latencyMs: 10 });
      }
      assert.ok(failed <= 5, `${failed} of 5000 requests went to one that always fails`);
      for (let i = 0; i < 120_000; i++) bench.pick();
      const expected = new Map([failing!, ...others].map(one => [one.endpoint.id, 1]));
      assertShares(bench.count(), expected, tolerance);
    },
  };
}

function stickiness(makePolicy: PolicyFactory): Tests {
  const keys = Array.from({ length: 2_000 }, (_, index) => `user:${index}`);
  const owners = (bench: Bench) => keys.map(key => bench.pick(key)!.endpoint.id);
  return {
    'gives equal keys the same candidate'() {
      const bench = new Bench(makePolicy);
      bench.join('a', 'b', 'c', 'd', 'e');
      assert.deepEqual(owners(bench), owners(bench));
    },
    'takes a string and its bytes for the same key'() {
      const bench = new Bench(makePolicy);
      bench.join('a', 'b', 'c', 'd', 'e');
      for (const key of keys) assert.equal(bench.pick(key), bench.pick(new TextEncoder().encode(key)));
    },
    'brings a key back when its candidate comes back'() {
      const bench = new Bench(makePolicy);
      const all = bench.join('a', 'b', 'c', 'd', 'e');
      const before = owners(bench);
      bench.update(all.slice(1));
      assert.ok(!owners(bench).includes('a'));
      bench.update(all);
      assert.deepEqual(owners(bench), before);
    },
  };
}
