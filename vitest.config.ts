import { defineConfig } from 'vitest/config';

// Packages are tested on their sources: the custom condition is first in every package's `exports`.
const conditions = ['@ashlar/source', 'module', 'node', 'import', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['{packages,tools,examples}/*/test/**/*.test.ts', 'docs/test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
  },
});
