import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Scratch } from './scratch.ts';

interface Run {
  readonly passed: number;
  readonly failed: number;
  /** Names of failed tests, by file. */
  readonly failures?: Readonly<Record<string, readonly string[]>>;
  readonly elsewhere?: number;
}

/** A vitest that ends its runs as told, one after the other, and notes its arguments. */
function vitest(scratch: Scratch, ...runs: readonly Run[]): void {
  const reports = runs.map(({ passed, failed, failures = {}, elsewhere = 0 }) => ({
    passed,
    failed,
    skipped: 1,
    elsewhere,
    failures: Object.fromEntries(
      Object.entries(failures).map(([file, names]) => [
        file,
        { passed: 1, failed: names.length, skipped: 0, names },
      ]),
    ),
  }));
  scratch.write(
    'node_modules/vitest/vitest.mjs',
    `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
    const reports = ${JSON.stringify(reports)};
    const ran = existsSync('ran') ? Number(readFileSync('ran', 'utf8')) : 0;
    writeFileSync('ran', String(ran + 1));
    console.log(process.argv.slice(2).join(' '));
    writeFileSync(process.env.ASHLAR_TEST_REPORT, JSON.stringify(reports[ran]));
    process.exitCode = reports[ran].failed > 0 ? 1 : 0;`,
  );
}

const flaky: Run = { passed: 9, failed: 1, failures: { 'a.test.ts': ['waits'] } };

it('runs all tests once when none fails', async () => {
  const scratch = new Scratch();
  vitest(scratch, { passed: 10, failed: 0 });
  expect(await scratch.run('test')).toEqual({ end: 0, output: 'run\n', errors: '' });
});

it('runs a file again that failed beside others, alone, and lists what then passes', async () => {
  const scratch = new Scratch();
  vitest(scratch, flaky, { passed: 2, failed: 0 });
  const { end, output } = await scratch.run('test');
  expect(end).toBe(0);
  expect(output.split('\n').filter(line => line !== '')).toEqual([
    'run',
    'These failed beside others, and run again alone:',
    '  a.test.ts',
    'run a.test.ts --maxWorkers=1',
    'Failed beside others, passed alone:',
    '  a.test.ts > waits',
    '10 passed, 0 failed, 2 skipped',
  ]);
});

it('fails when a file fails alone as well', async () => {
  const scratch = new Scratch();
  vitest(scratch, flaky, { passed: 1, failed: 1, failures: { 'a.test.ts': ['waits'] } });
  const { end, output } = await scratch.run('test');
  expect(end).toBe(1);
  expect(output).not.toContain('passed alone');
  expect(output).toMatch(/\n9 passed, 1 failed, 2 skipped\n$/);
});

it.each<[string, Run]>([
  ['an error that no file owns', { ...flaky, elsewhere: 1 }],
  ['nothing that could run again', { passed: 9, failed: 1 }],
  [
    'more files than chance fails',
    {
      passed: 9,
      failed: 11,
      failures: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`${n}.test.ts`, ['fails']])),
    },
  ],
])('fails at once with %s', async (_, run) => {
  const scratch = new Scratch();
  vitest(scratch, run);
  expect(await scratch.run('test')).toEqual({ end: 1, output: 'run\n', errors: '' });
});

it('fails when the run ends without a report', async () => {
  const scratch = new Scratch();
  scratch.write('node_modules/vitest/vitest.mjs', 'process.exitCode = 3;');
  expect((await scratch.run('test')).end).toBe(3);
});

it('runs what is asked for once, as it is', async () => {
  const scratch = new Scratch();
  scratch.write(
    'node_modules/vitest/vitest.mjs',
    `console.log(process.argv.slice(2).join(' '), process.env.ASHLAR_TEST_REPORT); process.exitCode = 1;`,
  );
  expect(await scratch.run('test', 'lb')).toEqual({ end: 1, output: 'run lb undefined\n', errors: '' });
});

it.each(['SIGINT', 'SIGTERM'] as const)('lets the tests end their servers first after %s', async signal => {
  const scratch = new Scratch();
  scratch.write(
    'node_modules/vitest/vitest.mjs',
    `process.once('${signal}', () => setTimeout(() => { console.log('ended'); process.exit(1); }, 50));
    setInterval(() => {}, 1000);
    console.log('ready');`,
  );
  const child = scratch.start('test');
  await once(child.stdout, 'data');
  let output = '';
  child.stdout.on('data', text => (output += text));
  child.kill(signal);
  expect(await once(child, 'close')).toEqual([null, signal]);
  expect(output).toBe('ended\n');
});
