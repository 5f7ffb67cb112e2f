import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';

/** Ends a server or a client when the test has ended. */
export function closing<T extends { stop(): Promise<void> } | { disconnect(): void }>(resource: T): T {
  onTestFinished(async () => ('stop' in resource ? resource.stop() : resource.disconnect()));
  return resource;
}

/** Whether SIGSTOP holds the process. */
export function isPaused(pid: number): boolean {
  return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

export const soon = { withinMs: 20_000 };
