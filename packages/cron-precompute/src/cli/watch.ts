import { Screen } from '@workspace/program';
import type { Progress, RunRecord } from '../runs/record.ts';
import { progressText } from './lines.ts';

/** How often progress is told on a terminal, and where there is none. */
const liveMs = 500;
const plainMs = 10_000;

/** Tells how far something is on the standard error, until it has ended. */
export class Watch implements Disposable {
  readonly #screen: Screen;
  readonly #timer: NodeJS.Timeout;

  constructor(text: () => string | Promise<string>) {
    const { TERM, NO_COLOR } = process.env;
    const screen = new Screen(process.stderr, { TERM, NO_COLOR });
    this.#screen = screen;
    const tell = async () => {
      const line = await text();
      if (screen.live) screen.change(line);
      else screen.print(line);
    };
    // What it cannot tell, the command itself fails with
    this.#timer = setInterval(() => void tell().catch(() => {}), screen.live ? liveMs : plainMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#screen.live) this.#screen.change('');
  }
}

/** How far the run is that goes on, in whichever process. */
export async function runningText(
  here: readonly { readonly progress?: Progress }[],
  history: () => Promise<readonly RunRecord[]>,
): Promise<string> {
  const [run] = here.length > 0 ? here : (await history()).filter(({ status }) => status === 'running');
  if (run === undefined) return 'waits for its turn';
  return `running ${progressText(run.progress)}`.trimEnd();
}
