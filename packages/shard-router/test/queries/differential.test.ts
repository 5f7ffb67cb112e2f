import { seededRandom } from '@ashlar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Site, startSite } from '../../faults/differential/site.ts';

const random = seededRandom(15);
let site: Site;

beforeAll(async () => {
  site = await startSite(random, 150);
});
afterAll(() => site?.[Symbol.asyncDispose]());

/** Some thousands of statements; only that it ends matters, not how busy the machine is. */
const questionsMs = 300_000;

it(
  'shards answer as one PostgreSQL with all rows: 300 questions, and writes between them',
  async () => {
    const { comparison } = site;
    // Each question is put to both kinds of shards, but in collations that only databases have
    while (comparison.questions < 600) expect(await comparison.round(random)).toEqual([]);
  },
  questionsMs,
);
