import type { Peer } from '@workspace/faults';
import { eventually } from '@workspace/services';
import type { Tally } from './fault.ts';
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

/** Milliseconds without writes since that moment, of the slowest process that did not stand still itself. */
export function outageOf(processes: readonly Traffic[], at: number, isPlanned = false): number {
  const waiting = processes.filter(({ wasStopped }) => !wasStopped);
  return Math.max(...waiting.map(each => (isPlanned ? each.longest(at) : each.after(at)!.endedAt - at)));
}

/** Compares what a process was told of its writes with how often each is there in the end. */
export function judgeWrites(
  tally: Tally,
  { writes, remarks }: Traffic,
  timesOf: (n: number) => number,
): void {
  tally.operations += writes.length;
  tally.remarks.push(...remarks);
  for (const { n, outcome } of writes) {
    const count = timesOf(n);
    if (count > 1) tally.duplicated++;
    if (outcome === 'Executed' && count === 0) tally.lost++;
    tally.expect(outcome !== 'NotExecuted' || count === 0, `write ${n} was told NotExecuted, and is there`);
  }
}
