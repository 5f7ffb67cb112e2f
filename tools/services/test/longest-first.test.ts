import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import type { TestSpecification, Vitest } from 'vitest/node';
import { temporaryDirectory } from '../src/index.ts';
import LongestFirst from '../src/tests/runs/longest-first.ts';

it('begins with what took longest, and takes what is new for as long as what it imports of tests', async () => {
  const root = temporaryDirectory('order');
  const files = {
    'test/long.test.ts': 'x'.repeat(500),
    'test/conformance.test.ts': "import '../src/conformance.ts';",
    'src/conformance.ts': `import './conformance/reads.ts';${'x'.repeat(300)}`,
    'src/conformance/reads.ts': 'x'.repeat(300),
    'test/faults.test.ts': "import './kinds.ts';",
    'test/kinds.ts': "import '../faults/all.ts'; import './faults.test.ts';",
    'faults/all.ts': 'x'.repeat(400),
    'test/short.test.ts': "import '../src/long.ts';",
    'src/long.ts': 'x'.repeat(5_000),
    'test/slow.test.ts': '',
    'test/quick.test.ts': 'x'.repeat(5_000),
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const durations: Readonly<Record<string, number>> = {
    'a:test/slow.test.ts': 9_000,
    'a:test/quick.test.ts': 3,
  };
  const cache = {
    getFileTestResults: (key: string) =>
      key in durations ? { duration: durations[key]!, failed: false } : undefined,
    getFileStats: () => undefined,
  };
  const projectOf = (name: string, groupOrder: number) => ({
    name,
    config: { sequence: { groupOrder }, isolate: true },
  });
  const [first, second] = [projectOf('a', 0), projectOf('b', 1)];
  const tests = Object.keys(files).filter(file => file.endsWith('.test.ts'));
  const specs = [
    { project: second, moduleId: join(root, 'test/slow.test.ts') },
    ...tests.map(file => ({ project: first, moduleId: join(root, file) })),
  ] as unknown as TestSpecification[];

  const sorted = await new LongestFirst({ cache, config: { root } } as unknown as Vitest).sort(specs);
  expect(sorted.map(({ project, moduleId }) => `${project.name} ${moduleId.slice(root.length + 1)}`)).toEqual(
    [
      ...['slow', 'conformance', 'long', 'faults', 'short', 'quick'].map(name => `a test/${name}.test.ts`),
      'b test/slow.test.ts',
    ],
  );
});
