import type { Contender } from './contender.ts';

export const keysHelp = '1 2 3 choose   k kill   s stop   r resume or restart   q quit';

/** Does to the contender that is chosen what is typed. */
export class Choice {
  /** The index of the one that is chosen. */
  chosen = 0;
  readonly #contenders: readonly Contender[];

  constructor(contenders: readonly Contender[]) {
    this.#contenders = contenders;
  }

  press(key: string): void {
    const contender = this.#contenders[this.chosen]!;
    if (/[123]/.test(key)) this.chosen = Number(key) - 1;
    else if (key === 'k') contender.kill();
    else if (key === 's') contender.stop();
    else if (key === 'r') contender.resume();
  }
}
