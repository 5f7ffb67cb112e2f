import { onMounted, type Ref, type ShallowRef, shallowRef, triggerRef } from 'vue';
import { type Simulation, Steps } from './steps.ts';
import { useTicks } from './use-ticks.ts';

/**
 * A simulation in virtual time, which begins when the page is shown, `firstMs` milliseconds on, and goes on with the time of the
 * page. `advance` shows what has changed, also with 0.
 */
export function useSimulation<S extends Simulation>(
  start: () => Promise<S>,
  firstMs: number,
): { simulation: ShallowRef<S | undefined>; playing: Ref<boolean>; advance: (ms: number) => Promise<void> } {
  const simulation = shallowRef<S>();
  let steps: Steps | undefined;

  const { playing } = useTicks(ms => steps?.tick(ms));
  onMounted(async () => {
    const started = await start();
    steps = new Steps(started, () => triggerRef(simulation));
    simulation.value = started;
    await steps.advance(firstMs);
  });
  return { simulation, playing, advance: async ms => steps?.advance(ms) };
}
