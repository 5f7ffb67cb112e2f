import type { AuthorityContext, Observed } from '../authority.ts';
import { NoStandbyError } from '../errors.ts';
import type { TermRecord } from './record.ts';

/** Milliseconds that the primary may lack standbys that are there, and soon follow it, before new writes wait for them. */
const patienceMs = 1_000;

/**
 * Whether enough standbys are there to acknowledge a write. A write without them would be executed and never acknowledged, so
 * its outcome Unknown: it waits instead, and was not executed when its time is over.
 */
export class Standbys {
  readonly #context: AuthorityContext;
  readonly #tell: (lack: string | undefined) => void;
  #lackingSince: number | undefined;
  #isHolding = false;

  /** @param tell what an operator should know, until it is over */
  constructor(context: AuthorityContext, tell: (lack: string | undefined) => void) {
    this.#context = context;
    this.#tell = tell;
  }

  consider(servers: readonly Observed[], record: TermRecord): void {
    const { clock } = this.#context;
    const lacking = lacksStandbys(servers, record);
    if (lacking) this.#lackingSince ??= clock.now();
    else this.#lackingSince = undefined;
    const isLong = this.#lackingSince !== undefined && clock.now() - this.#lackingSince >= patienceMs;
    // Where they are not even there, waiting a moment would let writes in that nobody acknowledges
    const holds = lacking && (isLong || hasTooFew(servers, record));
    if (holds === this.#isHolding) return;
    this.#isHolding = holds;
    const lacks = () => new NoStandbyError(this.#context.set, record.synchronous);
    this.#tell(holds ? lacks().message : undefined);
    if (holds) void this.#context.holdWrites('standbys', lacks);
    else this.#context.resumeWrites('standbys');
  }
}

/** Whether a server is seen to be a standby, of whomever. */
export function isStandby(servers: readonly Observed[], id: string): boolean {
  return servers.some(each => each.id === id && each.state === 'up' && each.sighting?.role === 'replica');
}

function hasTooFew(servers: readonly Observed[], { primary, members, synchronous }: TermRecord): boolean {
  return members.filter(id => id !== primary && isStandby(servers, id)).length < synchronous;
}

/** By what the primary says itself; a primary that cannot say it is believed to have them. */
function lacksStandbys(servers: readonly Observed[], { primary, phase, synchronous }: TermRecord): boolean {
  const server = servers.find(({ id }) => id === primary);
  if (phase !== 'serving' || server?.state !== 'up' || server.sighting?.role !== 'primary') return false;
  const { acknowledging } = server.sighting;
  return acknowledging !== undefined && acknowledging < synchronous;
}
