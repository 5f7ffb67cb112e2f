import { readFileSync } from 'node:fs';
import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { Peer } from '@workspace/faults';
import { eventually, signal } from '@workspace/services';
import pg from 'pg';
import type { TermRecord } from '../src/index.ts';
import type { Strike } from './steps.ts';
import { pause } from './strikes.ts';
import { busy, type Traffic } from './traffic.ts';
import { nowMs, type WriterSettings } from './writer.ts';

/** As many as a switchover has; one that has fewer is struck by none. */
const steps = 17;
/** Longer than the claim of an orchestrator that stands still. */
const longestMs = 6_000;

/**
 * Milliseconds that a write may wait: for the end of the claim of who was killed, and for another process to finish or take back
 * what that had begun.
 */
export const switchoverMs = 10_000;
export const fates: Readonly<Record<'SIGKILL' | 'SIGSTOP', string>> = {
  SIGKILL: 'is killed',
  SIGSTOP: `stands still for up to ${longestMs / 1_000} s`,
};

/** What the process is told that hands over. */
export interface SwitchoverSettings extends Pick<WriterSettings, 'set' | 'servers' | 'store'> {
  readonly backend: 'postgres' | 'redis';
  readonly strike: Strike;
}

/** What it says. `struck`: the signal comes at that step. */
export type HandsOver =
  | { readonly type: 'ready' }
  | { readonly type: 'struck'; readonly step: string }
  | { readonly type: 'over'; readonly end: string };

export interface HandOver {
  readonly settings: Omit<SwitchoverSettings, 'strike'>;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  readonly processes: readonly Traffic[];
  readonly random: Random;
  /** Called just before it begins. */
  struck(): void;
}

/**
 * A process of its own hands over, and is killed or stands still at some step of that. Who stood still goes on: perhaps before,
 * perhaps after another process has finished what it began. Resolves with what was done to whom.
 */
export async function handOver({ settings, processes, random, struck, ...how }: HandOver): Promise<string> {
  const at = Math.floor(random() * steps);
  const strike = { at, signal: how.signal, isSent: random() < 0.5 };
  const { backend, set, servers, store } = settings;
  const told: SwitchoverSettings = { backend, set, servers, store, strike };
  const peer = new Peer<HandsOver>(new URL('./switchover-process.ts', import.meta.url), told);
  try {
    await peer.next();
    struck();
    peer.process.send('arm');
    const said = await peer.next();
    if (said.type !== 'struck') return `step ${at} was never reached`;
    const what = `${how.signal} ${strike.isSent ? 'after' : 'before'} ${at}, ${said.step}`;
    if (how.signal === 'SIGKILL') return what;
    const { pid } = peer.process;
    const stands = async () => {
      if (!isStopped(pid!)) throw new Error('it does not stand still');
    };
    await eventually(stands, { withinMs: 60_000 });
    await pause(random() * longestMs);
    await busy(processes, nowMs());
    signal(pid!, 'SIGCONT');
    const { end } = (await peer.next()) as Extract<HandsOver, { type: 'over' }>;
    return `${what}: ${end}`;
  } finally {
    await peer.end();
  }
}

/** Until no change is half done, whoever has finished it or taken it back. Returns the latest term. */
export async function termOf(store: string, set: string): Promise<number> {
  const pool = new pg.Pool({ connectionString: store });
  const terms = postgresStore({ pool });
  try {
    return await eventually(
      async () => {
        const entry = await terms.get(`failover:${set}:term`);
        const { term, phase } = JSON.parse(new TextDecoder().decode(entry!.value)) as TermRecord;
        if (phase !== 'serving') throw new Error(`the record of term ${term} stays ${phase}`);
        return term;
      },
      { withinMs: 60_000 },
    );
  } finally {
    await pool.end();
  }
}

export function isStopped(pid: number): boolean {
  return / T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
