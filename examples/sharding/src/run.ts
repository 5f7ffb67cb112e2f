import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { seededRandom, sleep } from '@ashlar/core';
import { Mover, ShardRouter } from '@ashlar/shard-router';
import type { Screen } from '@workspace/program';
import type { Options } from './cli/options.ts';
import { type Moved, moveSlots, type Stage } from './moving.ts';
import { picture, slotCounts } from './output/picture.ts';
import { isAsPromised, type Report } from './output/report.ts';
import { memorySite } from './shards/memory.ts';
import { postgresSite } from './shards/postgres.ts';
import { type Site, shardNames, tables } from './shards/site.ts';
import { fill, paymentsIn } from './traffic/filling.ts';
import { type Router, Traffic } from './traffic/traffic.ts';
import { compare, newWallets } from './traffic/wallets.ts';

const liveMs = 100;
/** Traffic before, between and after the moves. */
const quietMs = 500;

/** Shorter than usual, so that one can wait for it. */
const limits = { steadyMs: 300, lagMs: 200 };

/** Two shards become four, under traffic. Rejects with the signal's reason. */
export async function run(options: Options, screen: Screen, signal: AbortSignal): Promise<Report> {
  if (options.postgres) screen.print('starting servers (postgres) …');
  await using site = options.postgres ? await postgresSite() : memorySite(options.rows);
  await writeFirstMap(site);
  const { shards, store, backend } = site;
  await using router: Router = new ShardRouter({ shards, store, key: 'text', tables });
  await router.ready();
  const wallets = newWallets(options.rows);
  await fill(router, wallets, signal);
  screen.print(`${options.rows} wallets on two shards ${site.title}. Payments and reads go on all the time.`);

  const startedAt = performance.now();
  const tell = (event: string) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    screen.print(`${seconds.padStart(6)} s  ${event}`);
  };
  await using mover = new Mover({ backend, store, tables, ...limits });
  const moved: Moved[] = [];
  let stage: Stage | undefined;
  using held = countHeld();
  const traffic = new Traffic(router, wallets, seededRandom(1), tell);
  try {
    using _live = screen.follow(() => livePicture(router, traffic, held.count, moved, stage), liveMs);
    await sleep(quietMs, signal);
    for (const shard of shardNames.slice(2)) {
      tell(`shard ${shard} is added`);
      await moveSlots(mover, { kind: 'add', shard }, signal, {
        onStage(now) {
          stage = now;
          if (now.step === 'ready' && now.why !== undefined) tell(`to be tried again: ${now.why}`);
        },
        onMoved(now) {
          moved.push(now);
          tell(movedLine(now));
        },
      });
      stage = undefined;
      await sleep(quietMs, signal);
    }
  } finally {
    await traffic[Symbol.asyncDispose]();
  }
  const { map, leaks } = await mover.status();
  screen.print(`\n${picture(map, shardNames)}`);
  const report = {
    shards: site.title,
    rows: options.rows,
    slots: slotCounts(map, shardNames),
    moves: moved.length,
    writes: traffic.writes,
    ...compare(wallets, await paymentsIn(router, signal)),
    unknown: traffic.unknown,
    failedWrites: traffic.failedWrites,
    heldWrites: held.count,
    longestPauseMs: Math.max(...moved.map(({ pauseMs }) => pauseMs)),
    longestWriteMs: Math.round(traffic.longestWriteMs),
    reads: traffic.reads,
    stale: traffic.stale,
    failedReads: traffic.failedReads,
    leaks: Object.entries(leaks).flatMap(([shard, left]) => left.map(each => `${shard}: ${each}`)),
  };
  return { ...report, ok: isAsPromised(report) };
}

/** The map of the time when there were two shards. */
async function writeFirstMap({ shards: { one, two }, store }: Site): Promise<void> {
  await using first: Router = new ShardRouter({ shards: { one, two }, store, key: 'text', tables });
  await first.ready();
}

function movedLine({ move: { from, to }, slots, pauseMs }: Moved): string {
  return `${slots} slots of ${from} are on ${to}; their rows could not be written for ${pauseMs} ms`;
}

function livePicture(
  router: Router,
  { writes, reads, stale, failedWrites, failedReads }: Traffic,
  heldCount: number,
  moved: readonly Moved[],
  stage: Stage | undefined,
): string {
  const { map, heldWrites } = router.snapshot();
  const pauseMs = moved.at(-1)?.pauseMs;
  return [
    picture(map!, shardNames),
    `payments ${writes}, ${heldWrites} wait now, ${heldCount} have waited, ${failedWrites} failed`,
    `reads ${reads}, ${stale} stale, ${failedReads} failed`,
    stage === undefined ? 'nothing moves' : `${stage.move.from} → ${stage.move.to}: ${stage.step}`,
    pauseMs === undefined ? '' : `last pause ${pauseMs} ms`,
  ].join('\n');
}

/** How often a write was refused by a fence, and waited. */
function countHeld(): Disposable & { readonly count: number } {
  const channel = 'ashlar:shard-router:write-held';
  let count = 0;
  const onHeld = () => void count++;
  subscribe(channel, onHeld);
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => void unsubscribe(channel, onHeld),
  };
}
