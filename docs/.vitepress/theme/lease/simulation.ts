import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { Lease, memoryStore } from '@ashlar/store';
import { StallingClock } from './stalling-clock.ts';

export interface ProcessView {
  readonly name: string;
  /** What it believes. `stands still`: it believes nothing, and will go on with what it believed. */
  readonly state: 'waits' | 'holds' | 'stands still';
  /** Its fencing token; undefined without a lease. */
  readonly token: number | undefined;
}

/** A write as it arrived at a sink. */
export interface WriteView {
  readonly number: number;
  readonly by: string;
  readonly token: number;
  /** Refused by the sink that compares tokens. The one that does not takes it too. */
  readonly isRefused: boolean;
}

interface Process {
  readonly name: string;
  readonly clock: StallingClock;
  lease: Lease | undefined;
}

export const ttlMs = 3_000;
const writeEveryMs = 400;
const tenureMs = 12_000;
const keptWrites = 8;
const keptEvents = 4;

/**
 * Processes that take turns by a lease, in virtual time. Who has it writes, with its fencing token, to a sink that refuses a token
 * below the greatest that it has seen.
 */
export class LeaseSimulation {
  /** The latest, in order. */
  readonly events: { readonly number: number; readonly text: string }[] = [];
  /** The latest, in order. */
  readonly writes: WriteView[] = [];
  taken = 0;
  refused = 0;
  readonly #clock = new ManualClock();
  readonly #store = memoryStore({ clock: this.#clock });
  readonly #processes: readonly Process[];
  readonly #first: bigint[] = [];
  #greatest = 0;
  #told = 0;

  private constructor(names: readonly string[]) {
    this.#processes = names.map(name => ({ name, clock: new StallingClock(this.#clock), lease: undefined }));
  }

  static async start(names: readonly string[]): Promise<LeaseSimulation> {
    const simulation = new LeaseSimulation(names);
    for (const [n, process] of simulation.#processes.entries()) void simulation.#work(process, n);
    return simulation;
  }

  get nowMs(): number {
    return this.#clock.now();
  }

  get processes(): ProcessView[] {
    return this.#processes.map(({ name, clock, lease }) => ({
      name,
      state: clock.isStalled ? 'stands still' : lease === undefined ? 'waits' : 'holds',
      token: lease && this.#tokenOf(lease),
    }));
  }

  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  stop(name: string): void {
    const process = this.#process(name);
    if (process.clock.isStalled) return;
    process.clock.stall();
    this.#tell(`${name} stands still${process.lease === undefined ? '' : ', with the lease'}`);
  }

  resume(name: string): void {
    const process = this.#process(name);
    if (!process.clock.isStalled) return;
    this.#tell(`${name} goes on where it was`);
    process.clock.resume();
  }

  async #work(process: Process, seed: number): Promise<never> {
    const random = seededRandom(seed + 1);
    for (;;) {
      const lease = await Lease.acquire(this.#store, 'ledger', { ttlMs, clock: process.clock, random });
      process.lease = lease;
      this.#tell(`${process.name} has the lease, with token ${this.#tokenOf(lease)}`);
      await this.#write(process, lease);
      process.lease = undefined;
      await lease.release();
      await process.clock.sleep(ttlMs);
    }
  }

  /** Writes for a while, or until the lease is lost. */
  async #write({ name, clock }: Process, lease: Lease): Promise<void> {
    const until = clock.now() + tenureMs;
    while (clock.now() < until) {
      // As a program that asks no clock: it may have stood still since it looked at its lease
      const mayWrite = !lease.signal.aborted;
      await clock.sleep(writeEveryMs);
      if (!mayWrite) return;
      if (!this.#sink(name, this.#tokenOf(lease))) return;
    }
  }

  /** Takes a write, or refuses it when a greater token was here before. */
  #sink(by: string, token: number): boolean {
    const isRefused = token < this.#greatest;
    this.#greatest = Math.max(this.#greatest, token);
    this.writes.push({ number: this.taken + this.refused, by, token, isRefused });
    if (this.writes.length > keptWrites) this.writes.shift();
    if (isRefused) {
      this.refused++;
      this.#tell(`${by} writes with token ${token}: refused, as ${this.#greatest} was here`);
    } else this.taken++;
    return !isRefused;
  }

  /** Tokens only grow, by steps of any size; to tell them apart, they are numbered. */
  #tokenOf({ token }: Lease): number {
    if (!this.#first.includes(token)) this.#first.push(token);
    return this.#first.indexOf(token) + 1;
  }

  #process(name: string): Process {
    return this.#processes.find(process => process.name === name)!;
  }

  #tell(text: string): void {
    this.events.push({ number: this.#told++, text });
    if (this.events.length > keptEvents) this.events.shift();
  }
}
