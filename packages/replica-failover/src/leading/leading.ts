import type { Authority } from '../authority.ts';
import { Leader } from './leader.ts';
import { type LeadingOptions, readLeading } from './options.ts';

/**
 * Leads: when the primary is dead, the processes of the set themselves promote a standby, without an agent on any server.
 *
 * Two decisions are kept apart. A process stops *routing* to a server that does not answer, on its own. A standby is
 * *promoted* only when somebody else has found the primary dead too, another process or a standby that receives nothing, and
 * only in a new term that one process has claimed in the store. Acknowledged writes are not lost, and no two primaries
 * acknowledge: standbys are detached first, so many that the old primary can get no acknowledgment any more.
 *
 * @throws InvalidOptionError
 */
export function leading(options: LeadingOptions): Authority {
  return new Leader(readLeading(options));
}
