import type { Driver } from '../driver.ts';
import type { MemoryCapabilities } from '../memory/options.ts';
import { wrapped } from './wrapped.ts';

interface Group {
  readonly topic: string;
  readonly group: string;
  isPaused: boolean;
}

/** Hands out messages only while it is open; a group that is paused besides stays so. */
export class Gate {
  readonly driver: Driver<MemoryCapabilities>;
  readonly #inner: Driver<MemoryCapabilities>;
  readonly #groups = new Map<string, Group>();
  #isOpen: boolean;

  constructor(inner: Driver<MemoryCapabilities>, isOpen: boolean) {
    this.#inner = inner;
    this.#isOpen = isOpen;
    this.driver = wrapped<Driver<MemoryCapabilities>, Pick<Driver, 'declare' | 'pause' | 'resume'>>(inner, {
      declare: async (topic, group) => {
        await inner.declare(topic, group);
        const name = `${topic}/${group}`;
        if (!this.#groups.has(name)) this.#groups.set(name, { topic, group, isPaused: false });
        await this.#apply(this.#groups.get(name)!);
      },
      pause: (topic, group) => this.#set(topic, group, true),
      resume: (topic, group) => this.#set(topic, group, false),
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  async set(isOpen: boolean): Promise<void> {
    this.#isOpen = isOpen;
    for (const group of this.#groups.values()) await this.#apply(group);
  }

  isPaused(topic: string, group: string): boolean {
    return this.#groups.get(`${topic}/${group}`)?.isPaused === true;
  }

  async #set(topic: string, group: string, isPaused: boolean): Promise<void> {
    const known = this.#groups.get(`${topic}/${group}`);
    // An unknown group is for the driver to refuse
    if (known === undefined) return await this.#inner.resume!(topic, group);
    known.isPaused = isPaused;
    await this.#apply(known);
  }

  async #apply({ topic, group, isPaused }: Group): Promise<void> {
    if (this.#isOpen && !isPaused) await this.#inner.resume!(topic, group);
    else await this.#inner.pause!(topic, group);
  }
}
