import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../src/index.ts';
import { partTests } from '../src/tests/runs/parts.ts';

function partsOf(files: Record<string, string>) {
  const root = temporaryDirectory('parts');
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return partTests(root, ['packages/*/test/**/*.test.ts']);
}

it('parts the tests that reach outside their process from those that compute', () => {
  const { waiting, computing } = partsOf({
    'packages/a/test/redis.test.ts': "import { startRedis } from '@workspace/services';",
    'packages/a/test/room/program.test.ts': "const { spawn } = await import('node:child_process');",
    'packages/a/test/cli.test.ts': "import { commandLine } from '@workspace/services/command-line';",
    'packages/a/test/traces.test.ts': "import { withTraces } from '@workspace/services/traces';",
    'packages/a/test/hash.test.ts': "import { hash } from '../src/hash.ts';",
    'packages/a/src/hash.ts': "import { createServer } from 'node:http';",
    'packages/a/node_modules/b/packages/b/test/b.test.ts': '',
  });
  const names = ['cli', 'redis', 'room/program'];
  expect(waiting).toEqual(names.map(name => `packages/a/test/${name}.test.ts`));
  expect(computing).toEqual(['packages/a/test/hash.test.ts', 'packages/a/test/traces.test.ts']);
});

it('leaves those apart that change or measure what the files of a process share', () => {
  const { apart, computing } = partsOf({
    'packages/a/test/clock.test.ts': 'vi.useFakeTimers();',
    'packages/a/test/heap.test.ts': 'const { heapUsed } = process.memoryUsage();',
    'packages/a/test/heard.test.ts': "import { listen } from './support/listen.ts';",
    'packages/a/test/support/listen.ts': "import { subscribe } from 'node:diagnostics_channel';",
    'packages/a/test/call.test.ts': "import '../src/call.ts'; vi.fn(); // in each process",
    'packages/a/src/call.ts': 'process.nextTick(() => {});',
  });
  const names = ['clock', 'heap', 'heard'];
  expect(apart).toEqual(names.map(name => `packages/a/test/${name}.test.ts`));
  expect(computing).toEqual(['packages/a/test/call.test.ts']);
});

it('follows helpers, also those that import each other', () => {
  const { waiting, computing } = partsOf({
    'packages/a/test/pick.test.ts': "import './support/even.ts';",
    'packages/a/test/support/even.ts': "export * from './odd.ts';",
    'packages/a/test/support/odd.ts': "import './even.ts';",
    'packages/a/test/serve.test.ts': "import {\n  serve,\n} from './support/serve.ts';",
    'packages/a/test/support/serve.ts': "import '../../faults/site.ts';",
    'packages/a/faults/site.ts': "import type { Socket } from 'node:net';",
  });
  expect(waiting).toEqual(['packages/a/test/serve.test.ts']);
  expect(computing).toEqual(['packages/a/test/pick.test.ts']);
});
