import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { seededRandom } from '@ashlar/core';
import type { RunEndedMessage, RunStartedMessage } from '@ashlar/cron-precompute';
import { memoryStore } from '@ashlar/store';
import type { Screen } from '@workspace/program';
import { Agent, request } from 'undici';
import type { Options } from './cli/options.ts';
import { type Report, Tally, timeText } from './output/report.ts';
import { acceleratedClock } from './shop/accelerated-clock.ts';
import { nightWork } from './shop/night-work.ts';
import { openShop } from './shop/shop.ts';
import { ViewLog } from './shop/view-log.ts';
import { visitors } from './shop/visitors.ts';

const noon = Date.parse('2026-12-01T12:00:00Z');
const hourMs = 3_600_000;

/** From noon to noon: a shop is visited, and finds out at night what it shows the next morning. */
export async function run(
  { requests, hourMs: realHourMs, seed }: Options,
  { screen, signal }: { readonly screen: Screen; readonly signal: AbortSignal },
): Promise<Report> {
  const random = seededRandom(seed);
  const views = visitors(requests, 12, random);
  using clock = acceleratedClock(noon, hourMs / realHourMs);
  const log = new ViewLog();
  const tally = new Tally();
  const store = memoryStore();
  const work = nightWork(store, log, clock);
  const agent = new Agent({ connections: 20 });
  const started = (message: unknown) => {
    const { job } = message as RunStartedMessage;
    tally.begins(job, clock.wallMs() - noon);
    screen.print(`  ${timeText(clock.wallMs())}  ${job} begins, from ${log.count} page views`);
  };
  const ended = (message: unknown) => {
    const { job, record } = message as RunEndedMessage;
    tally.ends(job, clock.wallMs() - noon, record?.status ?? 'left');
    screen.print(`  ${timeText(clock.wallMs())}  ${job} has ${record?.status ?? 'not ended'}`);
  };
  subscribe('ashlar:cron-precompute:run-started', started);
  subscribe('ashlar:cron-precompute:run-ended', ended);
  const shop = await openShop(work, log, random);
  try {
    screen.print(
      `${requests} page views from noon to noon, an hour of the shop in ${realHourMs} ms, to ${shop.origin}`,
    );
    await work.bestSellers.start();
    await work.related.start();
    const asked: Promise<void>[] = [];
    for (const { path, visit, atMs } of views) {
      const leftMs = atMs - (clock.wallMs() - noon);
      if (leftMs > 0) await clock.sleep(leftMs, signal);
      signal.throwIfAborted();
      asked.push(ask(new URL(path, shop.origin), visit, atMs));
    }
    await Promise.all(asked);
    const { body } = await request(shop.origin, { dispatcher: agent });
    const showsBestSellers = (await body.text()).includes('Best-sellers');
    return tally.report(showsBestSellers, [work.bestSellers.snapshot(), work.related.snapshot()]);
  } finally {
    unsubscribe('ashlar:cron-precompute:run-started', started);
    unsubscribe('ashlar:cron-precompute:run-ended', ended);
    await Promise.all([work.bestSellers.close(), work.related.close()]);
    await agent.close();
    await shop[Symbol.asyncDispose]();
    await store.close();
  }

  async function ask(url: URL, visit: string, atMs: number): Promise<void> {
    const began = performance.now();
    try {
      const { statusCode, body } = await request(url, {
        dispatcher: agent,
        headers: { cookie: `visit=${visit}` },
      });
      const text = await body.text();
      const tookMs = performance.now() - began;
      tally.asked(atMs, tookMs, statusCode === 200, text.includes('Others also looked at'));
    } catch {
      tally.asked(atMs, performance.now() - began, false, false);
    }
  }
}
