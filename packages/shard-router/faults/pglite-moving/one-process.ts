import { Peer } from '@workspace/faults';
import { eventually } from '@workspace/services';
import type { Write } from '../moving/roles.ts';
import type { LetIn, Message, Settings } from './roles.ts';

const program = new URL('./pglite-process.ts', import.meta.url);

/** The process that has both databases: it writes, reads and moves. What it has told. */
export class OneProcess {
  readonly writes: Write[] = [];
  readonly letIn: LetIn[] = [];
  readonly remarks: string[] = [];
  readonly steps: string[] = [];
  stale = 0;
  /** Whether the move was committed; undefined when the process has ended before it was over. */
  readonly over: Promise<boolean | undefined>;
  readonly #peer: Peer<Message>;
  #isOver: (committed: boolean | undefined) => void = () => {};

  constructor(settings: Settings) {
    this.#peer = new Peer(program, settings);
    this.over = new Promise(resolve => {
      this.#isOver = resolve;
    });
    void this.#listen();
  }

  /** Until it has begun and finished so many writes more. */
  async writing(count: number): Promise<void> {
    const all = () => this.writes.filter(({ outcome }) => outcome === 'Executed').length;
    const wanted = all() + count;
    await eventually(
      async () => {
        if (all() < wanted)
          throw new Error(`no writes are acknowledged: ${this.remarks.slice(0, 3).join('; ')}`);
      },
      { withinMs: 120_000 },
    );
  }

  /** Kills it. */
  end(): Promise<void> {
    return this.#peer.end();
  }

  #note(step: string): void {
    if (this.steps.at(-1) !== step) this.steps.push(step);
  }

  async #listen(): Promise<void> {
    for (;;) {
      const message = await this.#peer.next().catch(() => undefined);
      switch (message?.type) {
        case undefined:
          return this.#isOver(undefined);
        case 'write':
          this.writes.push(message.write);
          break;
        case 'let in':
          this.letIn.push(message.write);
          break;
        case 'step':
          this.#note(message.step === 'failed' ? `failed: ${message.words};` : message.step);
          break;
        case 'over':
          this.#isOver(message.committed);
          break;
        case 'stale':
          this.stale++;
          this.remarks.push(message.remark);
          break;
        case 'broken':
          this.remarks.push(message.remark);
      }
    }
  }
}
