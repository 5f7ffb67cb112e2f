import { systemWallClock, type WallClock } from '../clock.ts';

/** So many reads in one millisecond begin a burst. */
const burst = 8;
/** So many reads of a burst share a time, at most. */
const shared = 64;
const machineNow = Date.now;
const settled = Promise.resolve();

/**
 * The time of reads, in milliseconds since 1970. To ask the machine takes as long as the read itself, and holds up the processor, so
 * reads that follow each other at once ask it now and then. What any `await` divides asks anew.
 */
export class ReadTime {
  readonly #clock: WallClock;
  readonly #mayShare: () => boolean;
  readonly #end = (): void => {
    this.#isInBurst = false;
    this.#left = 0;
    this.#same = 0;
  };
  #now = 0;
  #same = 0;
  #left = 0;
  #isInBurst = false;

  /** A clock of a test, and a `Date` that a test has replaced, are asked each time. */
  constructor(
    clock: WallClock,
    mayShare: () => boolean = clock === systemWallClock ? () => Date.now === machineNow : () => false,
  ) {
    this.#clock = clock;
    this.#mayShare = mayShare;
  }

  wallMs(): number {
    if (this.#left > 0 && this.#mayShare()) {
      this.#left--;
      return this.#now;
    }
    const now = this.#clock.wallMs();
    this.#same = now === this.#now ? this.#same + 1 : 0;
    this.#now = now;
    if (this.#same >= burst) {
      this.#left = shared - 1;
      if (!this.#isInBurst) settled.then(this.#end);
      this.#isInBurst = true;
    }
    return now;
  }
}
