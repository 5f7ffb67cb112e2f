import { resolve } from 'node:path';
import { optionsNotAmong, wordsOf } from '@workspace/markdown-tests';
import { expect, test } from 'vitest';
import { readmeOf } from '../.vitepress/pages/readme.ts';
import { root } from '../.vitepress/pages/repository.ts';
import { cellsOf, tablesWith } from '../.vitepress/pages/tables.ts';

/** Options that only the comments of their types explain. The list is exact, so it cannot hide another one. */
const inCommentsOnly: Readonly<Record<string, readonly string[]>> = {
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
};

/** The same of READMEs in which every option has a row. */
const inNoRow: Readonly<Record<string, readonly string[]>> = {
  'hash-ring': [],
  // Of who writes a backend over Redis
  store: [
    'ClientOptions.connectTimeoutMs',
    'ClientOptions.connectionName',
    'LinkOptions.checkAgainMs',
    'LinkOptions.connectTimeoutMs',
    'LinkOptions.connected',
    'LinkOptions.disconnected',
    'LinkOptions.errors',
    'LinkOptions.make',
    'ScriptOptions.asBytes',
    'ScriptOptions.moreKeys',
    'ScriptOptions.outcome',
  ],
  // Of who writes a driver, and of the library
  queue: [
    'AckOptions.result',
    'ConsumeOptions.alive',
    'ConsumeOptions.prefetch',
    'ConsumeOptions.signal',
    'NatsConnectionOptions.authenticator',
    'NatsConnectionOptions.pass',
    'NatsConnectionOptions.servers',
    'NatsConnectionOptions.tls',
    'NatsConnectionOptions.token',
    'NatsConnectionOptions.user',
  ],
  'cron-precompute': [],
  'replica-failover': ['OpenOptions.onLost'], // of who writes a backend
  'shard-router': [],
};

// The site has its option tables from the READMEs, so what a README leaves out is nowhere
test.each(Object.entries(inCommentsOnly))('the README of %s names every option', (name, known) => {
  expect(optionsNotAmong(wordsOf(readmeOf(name)), resolve(root, 'packages', name))).toEqual(known);
});

test.each(Object.entries(inNoRow))('the README of %s has a row of every option', (name, known) => {
  // Those of an object may be in its row, in the type
  const cells = tablesWith(name, 'default').flatMap(({ header, lines }) =>
    lines.slice(2).flatMap(line => cellsOf(line).slice(0, header.indexOf('default'))),
  );
  expect(optionsNotAmong(wordsOf(cells.join(' ')), resolve(root, 'packages', name))).toEqual(known);
});
