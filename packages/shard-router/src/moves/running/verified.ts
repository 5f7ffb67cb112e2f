import { MoveRefusedError } from '../../errors/moves.ts';
import { spaceOf } from '../../keys/slot-space.ts';
import type { Verification } from '../move-backend.ts';
import { tablesFault } from '../moved-tables.ts';
import type { MoverSettings } from '../mover-options.ts';
import { holding } from './holding.ts';
import { specOf } from './move-run.ts';

/** Compares source and target of a move, and leaves nothing of that. @throws MoveRefusedError at a step where that makes no sense */
export function verified(settings: MoverSettings, id: string, signal: AbortSignal): Promise<Verification> {
  const { backend } = settings;
  return holding(settings, id, signal, async ({ held, taken, stop }) => {
    if (taken === undefined) throw refusal(id, 'there is no such move');
    const { step, from, to } = taken.move;
    if (step !== 'ready' && step !== 'committed') throw refusal(id, `it is at the step ${step}`);
    const fault = tablesFault(spaceOf(taken.map), taken.move, settings.tables);
    if (fault !== undefined) throw refusal(id, fault);
    const spec = specOf(settings, taken);
    const context = { token: held.token, signal: stop.signal, progress() {} };
    if (step === 'ready') return backend.verify(spec, context);
    try {
      // The old source follows
      const found = await backend.verify({ ...spec, from: to, to: from }, context);
      await backend.follow?.(spec, context);
      return found;
    } catch (error) {
      await backend.follow?.(spec, context).catch(() => {}); // Or by whoever runs it next
      throw error;
    }
  });
}

/** Of a move that is not at a step at which that can be. */
export function refusal(id: string, words: string): MoveRefusedError {
  return new MoveRefusedError(`move ${id}`, [{ kind: 'step', shard: '', words }]);
}
