import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { childrenOf, ended, isAlive, signal, written } from '@workspace/services';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { run, start } from './program.ts';

const short = ['--requests', '100', '--rate', '200', '--replicas', '2'];
const endless = ['--requests', '100000', '--rate', '50', '--replicas', '2', '--cold'];
const stopped = { timeout: 60_000 };

/** The program in the middle of a replay, and its children. */
async function running(args: readonly string[]) {
  const child = start(args);
  const shown = await written(child, /of 100,000|\/balancer/);
  const children = childrenOf(child.pid!);
  endWithTest(children);
  expect(children).toHaveLength(3);
  return { child, children, shown };
}

/** Processes start as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 120_000 });

/** Also when it fails. */
function endWithTest(pids: readonly number[]): void {
  onTestFinished(() => pids.forEach(pid => void signal(pid, 'SIGKILL')));
}

describe('how it ends', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('on %s, with exit code %i and no process left', async (name, exitCode) => {
    const { child, children } = await running(endless);
    child.kill(name);
    expect(await once(child, 'exit')).toEqual([exitCode, null]);
    expect(children.filter(isAlive)).toEqual([]);
  });

  it('without errors: what Ctrl-C cuts off is none that a client sees', async () => {
    const { child } = await running([...endless, '--load-ms', '5000']);
    const rest = text(child.stdout!);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([130, null]);
    expect((await rest).trim()).toMatch(/ of 100,000 .* errors 0$/);
  });

  it('when it is killed itself: its children notice', async () => {
    const { child, children } = await running(endless);
    child.kill('SIGKILL');
    await expect.poll(() => children.filter(isAlive), stopped).toEqual([]);
  });

  it('when it is killed while its children are starting', async () => {
    for (let round = 0; round < 3; round++) {
      const child = start(endless);
      const children = () => childrenOf(child.pid!);
      await expect.poll(() => children().length, { interval: 1, timeout: 60_000 }).toBe(3);
      const started = children();
      endWithTest(started);
      child.kill('SIGKILL');
      await expect.poll(() => started.filter(isAlive), stopped).toEqual([]);
    }
  });

  it('at once when Ctrl-C comes again, and its children follow', async () => {
    const { child, children } = await running(endless);
    for (const replica of children) signal(replica, 'SIGSTOP');
    const impatience = setInterval(() => child.kill('SIGINT'), 100);
    onTestFinished(() => clearInterval(impatience));
    expect(await once(child, 'exit')).toEqual([130, null]);
    for (const replica of children) signal(replica, 'SIGCONT');
    await expect.poll(() => children.filter(isAlive), stopped).toEqual([]);
  });

  it('within seconds also when its children hang', async () => {
    const { child, children } = await running(endless);
    for (const replica of children) signal(replica, 'SIGSTOP');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([130, null]);
    expect(children.filter(isAlive)).toEqual([]);
  });

  it('quietly when its output is no longer read', async () => {
    const { child, children } = await running(endless);
    const complaints = text(child.stderr!);
    child.stdout!.destroy();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await complaints).toBe('');
    expect(children.filter(isAlive)).toEqual([]);
  });
});

describe('what it writes', () => {
  it('is plain lines where there is no terminal, and a table at the end', async () => {
    const { code, stdout, stderr } = await run(short);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain('\r');
    expect(stdout).not.toContain('\x1b');
    expect(stdout).toMatch(
      /^100 requests of a generated december day of a shop, seed 1: twice, 200 a second/,
    );
    expect(stdout).toMatch(/^caches are warmed first, with the 40,000 requests before those\n/m);
    expect(stdout).toMatch(/replica-2 is killed with SIGKILL\n(.*\n)*.*replica-3 joins\n/);
    expect(stdout).toMatch(/^requests +100 +100$/m);
    expect(stdout).toMatch(/^errors seen by the client +0 +0$/m);
    expect(stdout).toMatch(/^replica-2, killed( +\d+ +[\d.]+ % +[\d.]+ %){2}$/m);
    expect(stdout).toMatch(/^replica-2 is killed +\d+ of \d+ +[\d.]+ % +\d+ +all that it had +0$/m);
  });

  it('is the report alone on stdout with --json', async () => {
    const { stdout, stderr } = await run([...short, '--cold', '--policy', 'consistent', '--json']);
    expect(JSON.parse(stdout)).toHaveProperty('replays');
    expect(stderr).toMatch(/replica-3 joins/);
  });

  it('is help when that is asked for', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const flag of ['--policy', '--requests', '--replicas', '--rate', '--seed', '--trace', '--serve']) {
      expect(stdout).toContain(flag);
    }
  });

  it.each([
    [['--rate', 'fast'], /^storefront: --rate must be an integer from 1 to 100000, got "fast"\n$/],
    [['--replcas', '3'], /^storefront: there is no flag --replcas; did you mean --replicas\?\n$/],
    [['--trace', '/nowhere/trace'], /^storefront: \/nowhere\/trace: there is no such file\n$/],
    [['--trace', '/'], /^storefront: \/: is a directory\n$/],
  ])('is one line for bad input: %j', async (args, line) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(line);
  });

  it('is one line for a load that the machine cannot take, and no process is left', async () => {
    const child = start(['--rate', '100000', '--requests', '200000', '--load-ms', '1000', '--cold']);
    const { code, stderr } = await ended(child);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^storefront: 25000 requests are open at once: .* try a lower --rate\n$/);
    expect(childrenOf(child.pid!)).toEqual([]);
  });
});

describe('--serve', () => {
  it('shows the shop to a browser until Ctrl-C', async () => {
    const { child, children, shown } = await running([
      '--serve',
      '--requests',
      '0',
      '--replicas',
      '2',
      '--policy',
      'consistent',
    ]);
    const [, url] = /curl (\S+)\/balancer/.exec(shown) ?? [];
    const pages = [await fetch(`${url}/product/42`), await fetch(`${url}/product/42`)];
    expect(pages.map(page => page.headers.get('x-cache'))).toEqual(['miss', 'hit']);
    expect(new Set(pages.map(page => page.headers.get('x-replica'))).size).toBe(1);
    expect(await pages[0]!.text()).toMatch(/^<!doctype html>[\s\S]*cache <b>miss<\/b>/);
    expect(await (await fetch(url!)).text()).toContain('<a href="/product/1">');
    expect(await (await fetch(`${url}/balancer`)).json()).toMatchObject({
      name: 'storefront',
      discovery: 'live',
    });
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([130, null]);
    expect(children.filter(isAlive)).toEqual([]);
  });

  it('keeps the replicas, with what they cache, after the report', async () => {
    const child = start(['--serve', ...short]);
    const shown = await written(child, /Sticky, [\s\S]*\/balancer/);
    const [, url] = /open at (\S+)/.exec(shown) ?? [];
    const { endpoints } = (await (await fetch(`${url}/balancer`)).json()) as { endpoints: { id: string }[] };
    expect(endpoints.map(({ id }) => id)).toEqual(['replica-1', 'replica-3']);
    expect(childrenOf(child.pid!)).toHaveLength(3);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  it('says in a line that the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const { code, stderr } = await run(['--serve', '--requests', '0', '--port', `${port}`]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^storefront: .*EADDRINUSE.*\n$/),
    });
  });
});
