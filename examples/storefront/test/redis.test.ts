import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Report } from '../src/output/report.ts';
import { reportOf, run, start } from './program.ts';

/** Processes start as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 120_000 });

/** Resolves when the program has shown something new that matches. */
function shows(child: ChildProcess): (wanted: RegExp) => Promise<void> {
  let shown = '';
  child.stderr!.setEncoding('utf8').on('data', piece => {
    shown += piece;
  });
  return async wanted => {
    for (let at = shown.search(wanted); ; at = shown.search(wanted)) {
      if (at >= 0) {
        shown = shown.slice(at).replace(wanted, '');
        return;
      }
      await once(child.stderr!, 'data');
    }
  };
}

describeWith({ own: 'redis' }, 'a tier in Redis', () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await startRedis({ own: true });
    return () => server.stop();
  });

  async function keysLeft(): Promise<string[]> {
    const redis = new Redis(server.url);
    onTestFinished(() => redis.disconnect());
    return redis.keys('*');
  }

  it('lets the replicas load each product once, however they are balanced, and is left clean', async () => {
    const paced = [
      '--requests',
      '500',
      '--concurrency',
      '1',
      '--load-ms',
      '0',
      '--policy',
      'round-robin',
      '--cold',
    ];
    const report = await reportOf([...paced, '--cache', '50', '--redis', server.url]);
    const [replay] = report.replays;
    const { requests, errors, misses, hits, tier, replayed } = replay!;
    expect({ requests, errors }).toEqual({ requests: 500, errors: 0 });
    expect(misses).toBeGreaterThanOrEqual(report.products);
    // a machine that stands still for a second takes Redis to be away
    if (tier!.outages.length === 0) {
      expect(misses).toBe(report.products);
      expect(tier!.phases.before).toEqual({ requests, hits, hitRatio: hits / requests });
    }
    expect(tier!.hits).toBeGreaterThan(0);
    for (const alone of replayed) expect(alone.hits).toBeLessThan(hits);
    expect(await keysLeft()).toEqual([]);
  });

  it('may be killed, restarted, stopped, resumed and killed: no client sees an error', async () => {
    const paced = ['--requests', '4500', '--rate', '300', '--replicas', '3', '--policy', 'peak-ewma'];
    const child = start([...paced, '--cache', '60', '--json', '--redis', server.url]);
    const until = shows(child);
    const output = text(child.stdout!);
    await until(/of 4,500/);
    await server.kill();
    await until(/Redis is gone: replicas serve what they hold, and ask the database\n/);
    await until(/of 4,500/);
    await server.restart();
    await until(/Redis is back after [\d.,]+ ms: \d+ requests served without it\n/);
    server.pause();
    await until(/Redis is gone/);
    server.resume();
    await until(/Redis is back/);
    await server.kill();
    expect(await once(child, 'exit')).toEqual([0, null]);

    const { replays } = JSON.parse(await output) as Report;
    const { requests, errors, reasons, hits, tier } = replays[0]!;
    expect({ requests, errors, reasons }).toEqual({ requests: 4_500, errors: 0, reasons: {} });
    const { outages, phases } = tier!;
    const last = outages.at(-1)!;
    expect(outages.length).toBeGreaterThanOrEqual(3);
    expect(last.lastedMs).toBeUndefined();
    for (const { lastedMs } of outages.slice(0, -1)) expect(lastedMs).toBeGreaterThan(0);
    const without = outages.reduce((sum, { servedWithout }) => sum + servedWithout, 0);
    expect(without).toBeGreaterThan(0);
    expect(last.servedWithout).toBeGreaterThan(0);
    for (const phase of Object.values(phases)) {
      expect(phase.requests).toBeGreaterThan(0);
      expect(phase.hitRatio).toBeGreaterThan(0);
    }
    const { before, during, after } = phases;
    expect(before.requests + during.requests + after.requests).toBe(4_500);
    expect(before.hits + during.hits + after.hits).toBe(hits);
  });
});

describe('where there is no Redis', () => {
  it('says so in a line, and no password', async () => {
    const { code, stdout, stderr } = await run(['--redis', 'redis://:secret@127.0.0.1:1']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^storefront: no Redis answers at 127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/),
    });
    expect(stdout).not.toContain('secret');
  });
});
