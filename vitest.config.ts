import { defineConfig } from 'vitest/config';
import { markdownTests } from './tools/markdown-tests/src/index.ts';
import { installConsent } from './tools/services/src/consent.ts';

// Packages are tested on their sources: the custom condition is first in every package's `exports`. vitest hands
// the list to Node as well; with `import` or `module` in it, a `require` inside a library would get an ES module.
const conditions = ['@ashlar/source', 'node'];

const { GITHUB_ACTIONS } = process.env;

export default defineConfig({
  plugins: [markdownTests(import.meta.dirname), installConsent()],
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['{packages,tools,examples}/*/test/**/*.test.ts', '{docs,benchmarks}/test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    reporters: [
      'default',
      ...(GITHUB_ACTIONS === 'true' ? ['github-actions'] : []),
      './tools/services/src/summary.ts',
    ],
  },
});
