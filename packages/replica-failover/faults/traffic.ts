import type { Peer } from '@workspace/faults';
import { eventually } from '@workspace/services';
import type { Write, WriterMessage } from './writer.ts';

/** A process that writes, and what it has told. */
export class Traffic {
  readonly peer: Peer<WriterMessage>;
  readonly writes: Write[] = [];
  readonly remarks: string[] = [];
  /** Whether it stood still itself: then nobody waits for its writes. */
  wasStopped = false;

  constructor(peer: Peer<WriterMessage>) {
    this.peer = peer;
  }

  async begin(): Promise<void> {
    const first = await this.peer.next();
    if (first.type !== 'ready') throw new Error(`a writer said ${first.type} first`);
    void this.#listen();
  }

  /** The first acknowledged write that was begun after that moment. */
  after(at: number): Write | undefined {
    return this.writes.find(({ begunAt, outcome }) => begunAt >= at && outcome === 'Executed');
  }

  /** How long the slowest write took, of those that had not ended at that moment. */
  longest(at: number): number {
    const late = this.writes.filter(({ endedAt }) => endedAt >= at);
    return Math.max(...late.map(({ begunAt, endedAt }) => endedAt - begunAt));
  }

  async #listen(): Promise<void> {
    for (;;) {
      const message = await this.peer.next().catch(() => undefined);
      if (message === undefined) return;
      if (message.type === 'write') this.writes.push(message.write);
      else if (message.type === 'broken') this.remarks.push(message.remark);
    }
  }
}

/** Until each process has begun and finished a write after that moment. */
export async function busy(processes: readonly Traffic[], at: number): Promise<void> {
  const all = () => {
    if (!processes.every(each => each.after(at) !== undefined)) throw new Error('no writes are acknowledged');
  };
  await eventually(async () => all(), { withinMs: 60_000 });
}
