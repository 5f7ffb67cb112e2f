import { onBeforeUnmount, onMounted, type Ref, ref } from 'vue';

/** The longest step, so that a page that was in the background does not catch up all at once. */
const longestMs = 100;

/**
 * Calls `tick` with the milliseconds since the last call, for as long as `playing` is true and the page is shown. Plays
 * from the start, unless the reader prefers reduced motion.
 */
export function useTicks(tick: (ms: number) => void): { playing: Ref<boolean> } {
  const playing = ref(false);
  let last: number | undefined;
  let frame = 0;

  const onFrame = (now: number): void => {
    if (playing.value && last !== undefined) tick(Math.min(longestMs, now - last));
    last = now;
    frame = requestAnimationFrame(onFrame);
  };
  onMounted(() => {
    playing.value = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    frame = requestAnimationFrame(onFrame);
  });
  onBeforeUnmount(() => cancelAnimationFrame(frame));
  return { playing };
}
