import { availableParallelism } from 'node:os';
import { defineConfig, type Plugin, type TestProjectInlineConfiguration } from 'vitest/config';
import { markdownTests } from './tools/markdown-tests/src/index.ts';
import { installConsent } from './tools/services/src/programs/consent.ts';
import LongestFirst from './tools/services/src/tests/runs/longest-first.ts';
import { partTests } from './tools/services/src/tests/runs/parts.ts';

// Packages are tested on their sources: the custom condition is first in every package's `exports`. vitest hands
// the list to Node as well; with `import` or `module` in it, a `require` inside a library would get an ES module.
const conditions = ['@ashlar/source', 'node'];

const { GITHUB_ACTIONS } = process.env;
const root = import.meta.dirname;
const cores = availableParallelism();
const { waiting, apart, computing } = partTests(root, [
  '{packages,tools,examples}/*/test/**/*.test.ts',
  '{docs,benchmarks}/test/**/*.test.ts',
]);

type Options = NonNullable<TestProjectInlineConfiguration['test']> & { name: string; include: string[] };

/** Test files that run side by side, after those of the projects of a lower order. */
function project(order: number, options: Options, plugins: Plugin[] = []): TestProjectInlineConfiguration {
  return {
    plugins,
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      sequence: { groupOrder: order },
      // What is waited for comes at once on a machine that is not busy
      expect: { poll: { timeout: 20_000 } },
      // Neither says how fast something is: they end what hangs, also on a machine that is busy
      hookTimeout: 120_000,
      testTimeout: 120_000,
      ...options,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      // A process a core: to start one for each file takes longer than most of them do
      project(0, {
        name: 'computing',
        include: computing,
        isolate: false,
        setupFiles: './tools/services/src/tests/runs/left-behind.ts',
        maxWorkers: cores,
      }),
      project(0, { name: 'apart', include: apart, maxWorkers: cores }, [markdownTests(root)]),
      // Twice as many files as cores keep these busy, as most of them wait for servers and programs
      project(1, { name: 'waiting', include: waiting, maxWorkers: 2 * cores }, [installConsent()]),
    ],
    sequence: { sequencer: LongestFirst },
    reporters: [
      'default',
      ...(GITHUB_ACTIONS === 'true' ? ['github-actions'] : []),
      './tools/services/src/tests/runs/slowest.ts',
      './tools/services/src/tests/runs/summary.ts',
    ],
  },
});
