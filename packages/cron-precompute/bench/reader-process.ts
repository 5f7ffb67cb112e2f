import { readFileSync } from 'node:fs';
import { endWithParent } from '@workspace/program';
import { Vault } from '../src/publish/vault.ts';
import { connect } from '../test/fixtures/backends.ts';
import { products } from './data.ts';

export interface LoadSettings {
  readonly url: string;
  readonly entries: number;
  readonly snapshot: 'plain' | 'shared';
}

export interface Loaded {
  readonly loadMs: number;
  /** The longest time in which no timer of the process ran. */
  readonly pauseMs: number;
  readonly swapPauseMs: number;
  /** The most time of a processor between two timers, which other processes do not change; 0 where Linux is not. */
  readonly swapBusyMs: number;
  /** Of the process, more than without the version. */
  readonly bytes: number;
  readonly swapBytes: number;
}

/** Loads a version, then the same as if it was another, and measures. */
endWithParent();
const { url, entries, snapshot } = JSON.parse(process.argv[2]!) as LoadSettings;
const { store } = connect({ kind: 'redis', url, place: 'bench' });
const best = products(store, entries, { snapshot });
const collect = (globalThis as unknown as { gc(): void }).gc;

function used(): number {
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + Math.max(arrayBuffers, external);
}

/** What this thread, which is the first, has used of a processor. */
function processorMs(): number {
  try {
    const stat = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1');
    return Number.parseInt(stat, 10) / 1e6;
  } catch {
    return 0;
  }
}

/** The longest pause while the work is done, and the most memory. */
async function watched(
  work: () => Promise<unknown>,
): Promise<{ pauseMs: number; busyMs: number; most: number }> {
  let pauseMs = 0;
  let busyMs = 0;
  let most = 0;
  let before = performance.now();
  let usedBefore = processorMs();
  const timer = setInterval(() => {
    const now = performance.now();
    pauseMs = Math.max(pauseMs, now - before - 1);
    busyMs = Math.max(busyMs, processorMs() - usedBefore);
    most = Math.max(most, used());
    usedBefore = processorMs();
    before = performance.now(); // Looking at the memory takes time itself
  }, 1);
  await work();
  await new Promise(resolve => setTimeout(resolve, 20)); // What the last of it takes shows in the next turn
  clearInterval(timer);
  return { pauseMs, busyMs, most };
}

await store.get('connected');
collect();
const without = used();
const startedAt = performance.now();
let loadMs = 0;
const first = await watched(async () => {
  await best.start();
  loadMs = performance.now() - startedAt;
});
collect();
const bytes = used() - without;
// The same parts under a new number
const vault = new Vault(store, `products ${entries}`);
const pointer = await vault.pointer();
const { version } = pointer.versions.at(-1)!;
const manifest = await vault.manifest(version);
for (const chunk of manifest.chunks) {
  await vault.setChunk(version + 1, chunk.id, await vault.chunk(version, chunk));
}
await vault.setManifest({ ...manifest, version: version + 1 });
collect();
const swap = await watched(async () => {
  const next = pointer.versions.map(info => ({ ...info, version: info.version + 1 }));
  await vault.update(now => ({ ...now, current: version + 1, versions: next }));
  while (best.snapshot().version !== version + 1) await new Promise(resolve => setTimeout(resolve, 5));
});
await vault.update(now => ({ ...now, current: version, versions: pointer.versions }));
const loaded: Loaded = {
  loadMs,
  pauseMs: first.pauseMs,
  swapPauseMs: swap.pauseMs,
  swapBusyMs: swap.busyMs,
  bytes,
  swapBytes: swap.most - without,
};
process.send!(loaded);
