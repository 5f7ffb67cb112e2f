import type { Case } from './case.ts';
import { Ending } from './verdict/ending.ts';
import { Violation } from './verdict/violation.ts';
import { Actor } from './world/apply.ts';
import { immediate } from './world/time.ts';
import { type OpenTier, World } from './world/world.ts';

/** One case under way. */
export class Play {
  readonly #world: World;
  readonly #actor: Actor;
  readonly #uncaught: unknown[] = [];
  readonly #onUncaught = (error: unknown) => void this.#uncaught.push(error);

  constructor(setup: Case['setup'], openTier?: OpenTier) {
    this.#world = new World(setup, openTier);
    this.#actor = new Actor(this.#world);
    process.on('unhandledRejection', this.#onUncaught).on('uncaughtException', this.#onUncaught);
    process.on('warning', this.#onUncaught);
  }

  /** @throws Violation */
  async step(step: Case['steps'][number]): Promise<void> {
    await this.#actor.apply(step);
    this.#assert();
  }

  /** @throws Violation */
  async end(): Promise<void> {
    await new Ending(this.#world, this.#actor).run();
    await immediate();
    this.#assert();
  }

  /** Ends what is still open after a violation. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { gates, tier, members, closing } = this.#world;
    gates.isOpen = true;
    gates.releaseAll();
    tier?.comply();
    const open = members.filter(({ cache }) => !closing.has(cache));
    for (const { cache } of open) void cache.close().catch(() => {});
    await immediate();
    process.off('unhandledRejection', this.#onUncaught).off('uncaughtException', this.#onUncaught);
    process.off('warning', this.#onUncaught);
  }

  #assert(): void {
    const [error] = this.#uncaught;
    if (error !== undefined) {
      throw new Violation(
        'uncaught',
        error instanceof Error ? (error.stack ?? String(error)) : String(error),
      );
    }
    const [violation] = this.#world.violations;
    if (violation !== undefined) throw violation;
  }
}

/** @throws Violation */
export async function play({ setup, steps }: Case, openTier?: OpenTier): Promise<void> {
  await using one = new Play(setup, openTier);
  for (const step of steps) await one.step(step);
  await one.end();
}
