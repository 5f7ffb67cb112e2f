import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { Scratch } from './scratch.ts';

it('becomes the program, with its arguments and its exit code', async () => {
  const scratch = new Scratch();
  scratch.program('console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;');
  const { end, output, errors } = await scratch.run('start', '--help', '--rate', '5');
  expect([end, output, errors]).toEqual([7, '["--help","--rate","5"]\n', '']);
});

it('becomes the program of an example, after building that', async () => {
  const scratch = new Scratch();
  scratch.turbo(`console.log(process.argv.at(-1)); process.exitCode = 1;`);
  scratch.program('console.log(JSON.stringify(process.argv.slice(2)));', 'orders');
  expect((await scratch.run('start:orders')).errors).toContain('--filter=@ashlar-examples/orders\n');
  scratch.turbo('');
  expect((await scratch.run('start:orders', '--help')).output).toBe('["--help"]\n');
});

it.each(['flying', 'start:flying', 'start:../tools', 'restart'])('refuses to %s', async task => {
  const { end, errors } = await new Scratch().run(task);
  const usage = 'ashlar: usage: node tools/bootstrap/run.mjs test|start|start:EXAMPLE [arguments]\n';
  expect([end, errors]).toEqual([1, usage]);
});

it('installs before `npm run build` builds', async () => {
  const scratch = new Scratch();
  scratch.lock({ 'node_modules/left': { version: '1.0.0' } });
  scratch.write('package.json', { name: 'scratch', dependencies: { right: 'file:right' } });
  const { end, errors } = await scratch.runTurbo('run', 'build');
  expect(end).toBe(1);
  expect(errors).toContain('ashlar: installing packages with `npm ci`: node_modules/left is missing\n');
});

it("leaves the program's environment alone", async () => {
  const scratch = new Scratch();
  scratch.program('console.log(Object.keys(process.env).join());');
  expect((await scratch.run('start')).output).toBe('PATH,HOME,MINE\n');
});

it('builds quietly, with nothing sent home, before the program runs', async () => {
  const scratch = new Scratch();
  scratch.turbo(`
    const { TURBO_TELEMETRY_DISABLED, TURBO_NO_UPDATE_NOTIFIER, DO_NOT_TRACK } = process.env;
    require('node:fs').writeFileSync('built', [TURBO_TELEMETRY_DISABLED, TURBO_NO_UPDATE_NOTIFIER, DO_NOT_TRACK].join());
    console.log('noise');
  `);
  scratch.program(`import { readFileSync } from 'node:fs'; console.log(readFileSync('built', 'utf8'));`);
  const { output, errors } = await scratch.run('start');
  expect([output, errors]).toEqual(['1,1,1\n', '']);
});

it('shows what a failed build said, and runs nothing', async () => {
  const scratch = new Scratch();
  scratch.turbo('console.log("the cause"); process.exitCode = 2;');
  scratch.program('console.log("running");');
  const { end, output, errors } = await scratch.run('start');
  expect([end, output]).toEqual([1, '']);
  expect(errors).toBe('the cause\nashlar: `turbo run build` failed (exit code 2).\n');
});

it('says why it installs, and what to do when the lock file is not up to date', async () => {
  const scratch = new Scratch();
  scratch.lock({ 'node_modules/left': { version: '1.0.0' } });
  scratch.write('package.json', { name: 'scratch', dependencies: { right: 'file:right' } });
  scratch.write('right/package.json', { name: 'right', version: '1.0.0' });
  const { end, errors } = await scratch.run('start');
  expect(end).toBe(1);
  expect(errors).toMatch(/^ashlar: installing packages with `npm ci`: node_modules\/left is missing\n/);
  expect(errors).toMatch(/ashlar: `npm ci` failed .* disagree: run `npm install`, then try again\.\n$/);
});

it('says what to do when packages cannot be fetched', async () => {
  const scratch = new Scratch();
  const left = { version: '1.0.0', integrity: 'sha512-AAAA' };
  scratch.lock({ '': { name: 'scratch', dependencies: { left: '1.0.0' } }, 'node_modules/left': left });
  scratch.write('package.json', { name: 'scratch', dependencies: { left: '1.0.0' } });
  scratch.write('.npmrc', 'offline=true\n');
  const { end, errors } = await scratch.run('start');
  expect(end).toBe(1);
  expect(errors).toMatch(/ENOTCACHED[\s\S]*ashlar: `npm ci` failed .* Is the npm registry in reach/);
});

it.each(['SIGINT', 'SIGTERM'] as const)('leaves %s to the program', async signal => {
  const scratch = new Scratch();
  scratch.program(`
    process.once('${signal}', () => process.exit(9));
    setInterval(() => {}, 1000);
    console.log('ready');
  `);
  const child = scratch.start('start');
  await once(child.stdout, 'data');
  child.kill(signal);
  expect(await once(child, 'exit')).toEqual([9, null]);
});

it.each(['SIGINT', 'SIGTERM'] as const)('ends the build, and itself, by %s', async signal => {
  const scratch = new Scratch();
  scratch.turbo(`
    const { writeFileSync } = require('node:fs');
    process.once('${signal}', () => { writeFileSync('ended', ''); process.exit(1); });
    setInterval(() => {}, 1000);
    writeFileSync('started', '');
  `);
  const child = scratch.start('start');
  await once(child.stderr, 'data'); // the build takes long
  child.kill(signal);
  expect(await once(child, 'exit')).toEqual([null, signal]);
  scratch.turbo('');
  scratch.program(`import { existsSync } from 'node:fs'; console.log(existsSync('ended'));`);
  expect((await scratch.run('start')).output).toBe('true\n');
});

describe('when npm is told to end, whose shell passes that on to nobody', () => {
  it('ends the program', async () => {
    const scratch = new Scratch();
    scratch.program(`
      process.once('SIGTERM', () => { console.log('ended'); process.exit(); });
      setInterval(() => {}, 1000);
      console.log('ready');
    `);
    const npm = scratch.startByNpm();
    await once(npm.stdout, 'data');
    npm.kill('SIGTERM');
    expect(await text(npm.stdout)).toBe('ended\n');
  });

  it('ends the build', async () => {
    const scratch = new Scratch();
    scratch.turbo(`
      const { writeFileSync } = require('node:fs');
      process.once('SIGTERM', () => { writeFileSync('ended', ''); process.exit(1); });
      setInterval(() => {}, 1000);
    `);
    const npm = scratch.startByNpm();
    await once(npm.stderr, 'data'); // the build takes long
    npm.kill('SIGTERM');
    expect(await text(npm.stdout)).toBe('');
    expect(existsSync(join(scratch.root, 'ended'))).toBe(true);
  });
});
