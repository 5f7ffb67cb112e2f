import { resolve } from 'node:path';
import { optionsWithoutWord } from '@workspace/markdown-tests';
import { expect, test } from 'vitest';
import { root } from '../.vitepress/pages/repository.ts';

/** Options that only the comments of their types explain. The list is exact, so it cannot hide another one. */
const inCommentsOnly: Readonly<Record<string, readonly string[]>> = {
  'hash-ring': [],
  lb: [
    'AcquireOptions.cancellation',
    'AimdOptions.backoff',
    'AimdOptions.initial',
    'AimdOptions.min',
    'AimdOptions.slowMs',
    'Gradient2Options.initial',
    'Gradient2Options.longWindow',
    'Gradient2Options.min',
    'Gradient2Options.smoothing',
    'Gradient2Options.tolerance',
    'Gradient2Options.windowMs',
    'Gradient2Options.windowSamples',
    'PickOptions.exclude',
    'ReplicaOptions.behavior',
    'RunOptions.cancellation',
    'SimulationOptions.arrivals',
    'SimulationOptions.balancer',
    'SimulationOptions.replicas',
    'SimulationOptions.seed',
  ],
  'cache-policies': [],
  store: [],
  queue: [],
  'cron-precompute': [],
  'replica-failover': ['OpenOptions.onLost'], // of who writes a backend
  'shard-router': [],
};

// The site has its option tables from the READMEs, so what a README leaves out is nowhere
test.each(Object.entries(inCommentsOnly))('the README of %s names every option', (name, known) => {
  expect(optionsWithoutWord(resolve(root, 'packages', name))).toEqual(known);
});
