import { describe, expect, it } from 'vitest';
import { policyConformance } from '../src/conformance.ts';
import type { Candidate, Endpoint, PickRequest, Policy, PolicyFactory } from '../src/index.ts';
import { policies } from './policies.ts';

for (const { policy, ...about } of policies) policyConformance({ describe, it }, policy, about);

class First<E extends Endpoint> implements Policy<E> {
  all: readonly Candidate<E>[] = [];
  update(eligible: readonly Candidate<E>[]): void {
    this.all = eligible;
  }
  pick(request: PickRequest<E>): Candidate<E> | undefined {
    return this.all.find(one => !request.skip(one));
  }
}
class Deaf<E extends Endpoint> extends First<E> {
  override pick(): Candidate<E> | undefined {
    return this.all[0];
  }
}
class Backward<E extends Endpoint> extends First<E> {
  override update(eligible: readonly Candidate<E>[]): void {
    if (this.all.length === 0) this.all = eligible;
  }
}
class Moody<E extends Endpoint> extends First<E> {
  override pick({ skip }: PickRequest<E>): Candidate<E> | undefined {
    return this.all.filter(one => !skip(one)).sort(() => Math.random() - 0.5)[0];
  }
}

/** Policies that break a promise each, with a test that must notice. */
const broken: [PolicyFactory, string][] = [
  [() => new First(), 'gives all of them equal shares'],
  [() => new First(), 'gives shares by weight'],
  [() => new Deaf(), 'never gives one that is to be skipped, and finds the last that is not'],
  [
    () => new Backward(),
    'gives only candidates of the latest update, while they join, leave and change their weights',
  ],
  [() => new Moody(), 'gives equal results for equal calls'],
  [() => new Moody(), 'gives equal keys the same candidate'],
  [() => new First(), 'gives next to nothing to one that fails at once, and its share again when it is well'],
];

describe('the conformance suite', () => {
  it.each(broken)('fails %s in "%s"', (policy, test) => {
    expect(failures(policy)).toContain(test);
  });
});

function failures(policy: PolicyFactory): string[] {
  const failed: string[] = [];
  const run = (name: string, body: () => void | Promise<void>) => {
    try {
      void body();
    } catch {
      failed.push(name);
    }
  };
  const runner = { describe: (_: string, body: () => void) => body(), it: Object.assign(run, { skip() {} }) };
  policyConformance(runner, policy, {
    name: 'broken',
    features: { keyed: true, weighted: true, failureAware: true },
  });
  return failed;
}
