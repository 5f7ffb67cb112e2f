import { say } from '@workspace/faults';
import type { Mover } from '../../src/moves/mover.ts';
import type { MoveRequest } from '../../src/moves/planner.ts';
import { type CoordinatorMessage, nowMs } from './roles.ts';

const tell = (message: CoordinatorMessage) => say(message);
const failed = (error: unknown) => tell({ type: 'step', step: 'failed', at: nowMs(), words: String(error) });
const pause = () => new Promise(resolve => setTimeout(resolve, 200));

/** Works on the move until it is over, whoever began it. A coordinator that was given up is one more that goes on. */
export async function worked(mover: Mover, request: MoveRequest): Promise<void> {
  const id = await begun(mover, request);
  let committed = false;
  for (;;) {
    try {
      const run = mover.run(id);
      void (async () => {
        for await (const { step, pauseMs, words } of run) {
          tell({
            type: 'step',
            step,
            at: nowMs(),
            ...(pauseMs !== undefined && { pauseMs }),
            ...(words !== undefined && { words }),
          });
        }
      })();
      const move = await run.done;
      if (move === undefined) break;
      committed = true;
      await mover.finish(id);
      break;
    } catch (error) {
      failed(error);
      if ((error as { code?: string }).code === 'ASHLAR_SHARD_ROUTER_MOVE_ABORTED') break;
      const { map } = await mover.status().catch(() => ({ map: undefined }));
      if (map !== undefined && !map.moves.some(each => each.id === id)) break;
      await pause();
    }
  }
  tell({ type: 'over', committed });
  await mover.close();
}

async function begun(mover: Mover, request: MoveRequest): Promise<string> {
  for (;;) {
    try {
      const { map } = await mover.status();
      const found = map.moves[0];
      if (found !== undefined) return found.id;
      const [move] = await mover.begin(request);
      return move!.id;
    } catch (error) {
      failed(error);
      await pause();
    }
  }
}
