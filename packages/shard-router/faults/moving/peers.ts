import type { Peer } from '@workspace/faults';
import { eventually } from '@workspace/services';
import { type ClientMessage, type CoordinatorMessage, nowMs, type Write } from './roles.ts';

/** For a move with all that it waits for. */
const limitMs = 600_000;

/** A process that writes, and what it has told. */
export class Traffic {
  readonly peer: Peer<ClientMessage>;
  readonly writes: Write[] = [];
  readonly remarks: string[] = [];
  stale = 0;
  /** Then nobody waits for its writes. */
  wasStopped = false;

  constructor(peer: Peer<ClientMessage>) {
    this.peer = peer;
    void this.#listen();
  }

  async #listen(): Promise<void> {
    for (;;) {
      const message = await this.peer.next().catch(() => undefined);
      if (message === undefined) return;
      if (message.type === 'write') this.writes.push(message.write);
      if (message.type === 'stale') this.stale++;
      if (message.type === 'stale' || message.type === 'broken') this.remarks.push(message.remark);
    }
  }
}

/** A process that works on the move. */
export class Coordinator {
  readonly peer: Peer<CoordinatorMessage>;
  readonly over: Promise<boolean | undefined>;
  readonly said: string[] = [];
  /** How long each step took, in milliseconds. */
  readonly tookMs: Map<string, number> = new Map();
  /** When each step began, by the process's own word. */
  readonly steps: { readonly step: string; readonly at: number }[] = [];
  /** How long each pause was, as the mover has measured it. */
  readonly pausesMs: number[] = [];
  readonly #waiting = new Map<string, () => void>();

  constructor(peer: Peer<CoordinatorMessage>) {
    this.peer = peer;
    this.over = this.#listen();
  }

  /** Resolves when the move is at the step; never when it does not come to it. */
  at(step: string): Promise<void> {
    return new Promise(resolve => this.#waiting.set(step, resolve));
  }

  async #listen(): Promise<boolean | undefined> {
    let last = { step: 'start', at: nowMs() };
    for (;;) {
      const message = await this.peer.next().catch(() => undefined);
      const at = nowMs();
      this.tookMs.set(last.step, (this.tookMs.get(last.step) ?? 0) + at - last.at);
      if (message?.type === 'step') last = { step: message.step, at };
      if (message === undefined) return undefined;
      if (message.type === 'over') return message.committed;
      if (this.steps.at(-1)?.step !== message.step) this.steps.push({ step: message.step, at: message.at });
      if (message.pauseMs !== undefined) this.pausesMs.push(message.pauseMs);
      this.said.push(`${message.step} ${message.words ?? ''}`);
      this.#waiting.get(message.step)?.();
    }
  }
}

/** Whether the move was committed. @throws when it is not over after ten minutes, or nobody is left who works on it */
export async function overOf(coordinators: readonly Coordinator[]): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const said = coordinators.map(({ said }) => said.slice(-5).join('; ')).join(' | ');
      reject(new Error(`the move is not over after ${limitMs / 60_000} minutes: ${said}`));
    }, limitMs);
  });
  try {
    const over = Promise.any(coordinators.map(async each => (await each.over) ?? Promise.reject()));
    return await Promise.race([over, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Until each process that runs has begun and finished a write after that moment. */
export async function writing(traffic: readonly Traffic[], at: number): Promise<void> {
  await eventually(
    async () => {
      for (const each of traffic) {
        if (each.wasStopped) continue;
        const has = each.writes.some(({ begunAt, outcome }) => begunAt >= at && outcome === 'Executed');
        if (!has) throw new Error(`no writes are acknowledged: ${each.remarks.slice(0, 3).join('; ')}`);
      }
    },
    { withinMs: 120_000 },
  );
}
