import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { checkPackages, publicPackages, Report } from './index.ts';

const root = resolve(import.meta.dirname, '../../..');
const { devDependencies } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
}

const report = new Report(line => console.log(line));
try {
  await checkPackages({
    packages: publicPackages(resolve(root, 'packages')),
    toolchain: [`@types/node@${devDependencies['@types/node']}`],
    olderTypeScript: '5.2.2',
    report,
    signal: stop.signal,
  });
  console.log(report.summary());
  process.exitCode = report.failed === 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.log(`${report.summary()}, not finished`);
  process.exitCode = 1;
}
