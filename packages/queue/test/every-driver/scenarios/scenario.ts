import type { TestContext } from 'vitest';
import type { Address } from '../../../faults/kinds.ts';
import type { Site } from '../../../faults/site.ts';

/** What is promised of every driver, on a server that other scenarios use at the same time, by a way of its own. */
export interface Scenario {
  readonly title: string;
  play(site: Site, context: TestContext): Promise<void>;
}

/** For what is waited for. */
export const soonMs = 90_000;

/** Through the proxy, with topics that nobody has used, and calls that have time on a busy machine. */
export function unhurried(site: Site): Address {
  return { ...site.fresh(), timeoutMs: 30_000 };
}
