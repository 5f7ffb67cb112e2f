import type { Tally } from '../fault.ts';

/** A claim as its holder knew it, in milliseconds of this process. */
export interface Tenure {
  readonly holder: string;
  readonly token: bigint;
  /** When it was asked for, and when it was given. */
  readonly sentAt: number;
  readonly givenAt: number;
  /** When the holder let it go, or its time was over at the latest. */
  readonly endedAt: number;
}

/** All tenures of one name. */
export class Tenures {
  readonly #all: Tenure[] = [];

  add(tenure: Tenure): void {
    this.#all.push(tenure);
  }

  /** No two at a time, no token twice, and a greater one for whoever asked later. */
  judge(tally: Tally): void {
    for (const first of this.#all) {
      for (const later of this.#all) {
        if (later.holder === first.holder || later.givenAt < first.givenAt) continue;
        if (later.givenAt < first.endedAt || later.token === first.token) tally.duplicated++;
        const grows = later.sentAt < first.givenAt || later.token > first.token;
        tally.expect(grows, `token ${later.token} was given after ${first.token}`);
      }
    }
  }
}
