import type { Random } from '@ashlar/core';
import { type Postgres, signal } from '@workspace/services';
import type { Traffic } from './traffic.ts';

/** One of the processes stands still for 6 s, at some step of the promotion that has just begun. */
export async function stopOne(processes: readonly Traffic[], random: Random): Promise<void> {
  await pause(80 + random() * 250);
  const stopped = processes[Math.floor(random() * processes.length)]!;
  stopped.wasStopped = true;
  const { pid } = stopped.peer.process;
  signal(pid!, 'SIGSTOP');
  await pause(6_000);
  signal(pid!, 'SIGCONT');
}

/** The store of the term is killed, and comes back after 2 s. */
export async function killStore(store: Postgres, struck: () => void): Promise<void> {
  await store.kill();
  struck();
  await pause(2_000);
  await store.restart();
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
