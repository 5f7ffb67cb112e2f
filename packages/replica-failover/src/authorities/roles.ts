import type { Authority, AuthorityContext, Observed, Topology } from '../authority.ts';

/**
 * Follows whoever promotes: asks every server for its role, as needs no other service and works with any of them. The
 * primary is the server that says so in the latest term. A primary of an earlier term that comes back is ignored, and of
 * two in one term the one that was primary before stays; where there was none, there is none. So every server is asked before
 * the first is believed: one that does not answer takes two deadlines of the heartbeat.
 */
export function roles(): Authority {
  return {
    kind: 'roles',
    start(context: AuthorityContext) {
      let latest: Topology | undefined;
      let latestBranch = -Infinity;
      const stop = context.onSighting(() => {
        const servers = context.servers();
        // The first to answer may be a primary of an earlier term
        if (latest === undefined && servers.some(({ state }) => state === 'new')) return;
        const newest = newestOf(servers, latestBranch);
        context.warn(newest.length > 1 ? twoOf(newest) : undefined);
        const primary = newest.length === 1 ? newest[0] : newest.find(each => each.id === latest?.primary);
        if (primary === undefined) return;
        latestBranch = primary.sighting!.position.term;
        if (primary.id === latest?.primary) return;
        const term = Math.max(latestBranch, latest === undefined ? 0 : latest.term + 1);
        latest = { term, primary: primary.id };
        context.publish(latest);
      });
      context.signal.addEventListener('abort', stop, { once: true });
    },
  };
}

/** The primaries of the latest term. */
function newestOf(servers: readonly Observed[], latestBranch: number): readonly Observed[] {
  const primaries = servers.filter(
    ({ state, sighting }) =>
      state === 'up' && sighting?.role === 'primary' && sighting.position.term >= latestBranch,
  );
  const branch = Math.max(...primaries.map(each => each.sighting!.position.term));
  return primaries.filter(each => each.sighting!.position.term === branch);
}

function twoOf(primaries: readonly Observed[]): string {
  const { term } = primaries[0]!.sighting!.position;
  return `${primaries.map(({ id }) => id).join(' and ')} each say that they are the primary of term ${term}`;
}
