import { availableParallelism } from 'node:os';
import { defineConfig, type Plugin, type TestProjectInlineConfiguration } from 'vitest/config';
import { markdownTests } from './tools/markdown-tests/src/index.ts';
import { installConsent } from './tools/services/src/programs/consent.ts';
import { partTests } from './tools/services/src/tests/waiting.ts';

// Packages are tested on their sources: the custom condition is first in every package's `exports`. vitest hands
// the list to Node as well; with `import` or `module` in it, a `require` inside a library would get an ES module.
const conditions = ['@ashlar/source', 'node'];

const { GITHUB_ACTIONS } = process.env;
const root = import.meta.dirname;
const cores = availableParallelism();
const { waiting, computing } = partTests(root, [
  '{packages,tools,examples}/*/test/**/*.test.ts',
  '{docs,benchmarks}/test/**/*.test.ts',
]);

/** Test files that run side by side, after those of the projects of a lower order. */
function project(
  { order, ...test }: { name: string; order: number; maxWorkers: number; testTimeout: number },
  include: string[],
  plugins: Plugin[],
): TestProjectInlineConfiguration {
  return {
    plugins,
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      ...test,
      include,
      sequence: { groupOrder: order },
      // What is waited for comes at once on a machine that is not busy
      expect: { poll: { timeout: 20_000 } },
      hookTimeout: 120_000,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      project({ name: 'computing', order: 0, maxWorkers: cores, testTimeout: 30_000 }, computing, [
        markdownTests(root),
      ]),
      // Twice as many files as cores keep these busy, as most of them wait for servers and programs
      project({ name: 'waiting', order: 1, maxWorkers: 2 * cores, testTimeout: 60_000 }, waiting, [
        installConsent(),
      ]),
    ],
    reporters: [
      'default',
      ...(GITHUB_ACTIONS === 'true' ? ['github-actions'] : []),
      './tools/services/src/tests/slowest.ts',
      './tools/services/src/tests/summary.ts',
    ],
  },
});
