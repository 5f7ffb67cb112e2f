import type { Server } from './server.ts';

/** Says of a server that it belongs to a group, and gives it back once it has started. */
export type Member = <S extends Server>(starting: Promise<S>) => Promise<S>;

/**
 * Starts several servers as one: `build` starts them, each through `member`, and returns the leading one with
 * what the caller is to see besides. `stop` of the result stops them all, the last first. When `build` fails, so are those that
 * have started.
 */
export async function together<P extends Server, M extends object>(
  build: (member: Member) => Promise<readonly [leader: P, more: M]>,
): Promise<P & M> {
  const members: Promise<Server>[] = [];
  const member: Member = starting => {
    members.push(starting);
    return starting;
  };
  try {
    const [leader, more] = await build(member);
    const stops = (await Promise.all(members)).map(server => server.stop.bind(server)).reverse();
    const stop = async () => {
      for (const each of stops) await each();
    };
    return Object.assign(leader, more, { stop });
  } catch (error) {
    for (const settled of await Promise.allSettled(members)) {
      if (settled.status === 'fulfilled') await settled.value.stop();
    }
    throw error;
  }
}
