import type { ReadStream } from 'node:tty';
import { abortable } from '@ashlar/core';

/** What is used of `process.stdin` on a terminal. */
export type KeySource = Pick<ReadStream, 'setRawMode' | 'on' | 'off' | 'resume' | 'pause' | 'setEncoding'>;

/** Calls `press` with each key that is typed, until it is disposed of. `q` quits. */
export class Keys implements Disposable {
  readonly #source: KeySource;
  readonly #quitting: Promise<void>;
  #quit!: () => void;
  readonly #press: (key: string) => void;
  readonly #interrupt: () => void;
  readonly #typed = (keys: string) => {
    for (const key of keys) {
      if (key === 'q') this.#quit();
      else if (key === '\x03') this.#interrupt();
      else this.#press(key);
    }
  };

  /** A terminal in raw mode sends Ctrl-C as a key: `interrupt` is called for it. */
  constructor(source: KeySource, press: (key: string) => void, interrupt: () => void) {
    this.#source = source;
    this.#press = press;
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
}
