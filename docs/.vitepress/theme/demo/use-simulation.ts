import { onMounted, type Ref, type ShallowRef, shallowRef, triggerRef } from 'vue';
import { useTicks } from './use-ticks.ts';

interface Simulation {
  advance(ms: number): Promise<void>;
}

/**
 * A simulation in virtual time, which begins when the page is shown, `firstMs` milliseconds on, and goes on with the time of the
 * page. `advance` shows what has changed, also with 0.
 */
export function useSimulation<S extends Simulation>(
  start: () => Promise<S>,
  firstMs: number,
): { simulation: ShallowRef<S | undefined>; playing: Ref<boolean>; advance: (ms: number) => Promise<void> } {
  const simulation = shallowRef<S>();
  let owedMs = 0;
  let isBusy = false;

  /** Time that comes while the last step is not over is added to the next. */
  async function advance(ms: number): Promise<void> {
    owedMs += ms;
    if (isBusy || simulation.value === undefined) return;
    isBusy = true;
    const stepMs = owedMs;
    owedMs = 0;
    await simulation.value.advance(stepMs);
    isBusy = false;
    triggerRef(simulation);
  }

  const { playing } = useTicks(ms => void advance(ms));
  onMounted(async () => {
    simulation.value = await start();
    await advance(firstMs);
  });
  return { simulation, playing, advance };
}
