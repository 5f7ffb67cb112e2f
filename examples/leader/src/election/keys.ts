import type { ReadStream } from 'node:tty';
import { abortable } from '@ashlar/core';
import type { Contender } from './contender.ts';

export const keysHelp = '1 2 3 choose   k kill   s stop   r resume or restart   q quit';

/** What is used of `process.stdin` on a terminal. */
export type KeySource = Pick<ReadStream, 'setRawMode' | 'on' | 'off' | 'resume' | 'pause' | 'setEncoding'>;

/** Does to the contenders what is typed, until it is disposed of. */
export class Keys implements Disposable {
  /** The index of the one that is chosen. */
  chosen = 0;
  readonly #source: KeySource;
  readonly #quitting: Promise<void>;
  #quit!: () => void;
  readonly #contenders: readonly Contender[];
  readonly #interrupt: () => void;
  readonly #typed = (keys: string) => {
    for (const key of keys) this.#press(key);
  };

  /** A terminal in raw mode sends Ctrl-C as a key: `interrupt` is called for it. */
  constructor(source: KeySource, contenders: readonly Contender[], interrupt: () => void) {
    this.#source = source;
    this.#contenders = contenders;
    this.#interrupt = interrupt;
    this.#quitting = new Promise(resolve => {
      this.#quit = resolve;
    });
    source.setRawMode(true);
    source.setEncoding('utf8');
    source.on('data', this.#typed);
    source.resume();
  }

  /** Rejects with the signal's reason. */
  untilQuit(signal: AbortSignal): Promise<void> {
    return abortable(this.#quitting, signal);
  }

  [Symbol.dispose](): void {
    this.#source.off('data', this.#typed);
    this.#source.setRawMode(false);
    this.#source.pause();
  }

  #press(key: string): void {
    const contender = this.#contenders[this.chosen]!;
    if (/[123]/.test(key)) this.chosen = Number(key) - 1;
    else if (key === 'k') contender.kill();
    else if (key === 's') contender.stop();
    else if (key === 'r') contender.resume();
    else if (key === 'q') this.#quit();
    else if (key === '\x03') this.#interrupt();
  }
}
