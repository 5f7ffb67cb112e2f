import { memoryStore } from '@ashlar/store';
import { afterEach, describe, expect, it } from 'vitest';
import {
  leading,
  type MemoryClient,
  memoryCluster,
  ReplicaSet,
  type ReplicaSetOptions,
  type Server,
  WrongServersError,
} from '../../src/index.ts';
import { over, sightings } from './changed-server.ts';

describe('servers that do not belong together', () => {
  const sets: ReplicaSet<MemoryClient>[] = [];
  afterEach(async () => {
    for (const set of sets.splice(0)) await set.close();
  });
  const connect = async (
    servers: readonly Server<MemoryClient>[],
    options: Partial<ReplicaSetOptions<MemoryClient>> = {},
  ) => {
    const heartbeat = { intervalMs: 10, deadlineMs: 200 };
    const set = await ReplicaSet.connect({ servers, heartbeat, ...options });
    sets.push(set);
    return set;
  };
  const stateOf = (set: ReplicaSet<MemoryClient>, id: string) =>
    set.snapshot().servers.find(each => each.id === id)?.state;

  it('are refused at connect when one is of another cluster, also where no primary is', async () => {
    const [a, b] = memoryCluster({ ids: ['a', 'b'] }).servers();
    const other = memoryCluster({ ids: ['x', 'y'] }).servers();
    await expect(connect([a!, other[1]!])).rejects.toThrow(WrongServersError);
    await expect(connect([a!, b!, other[0]!])).rejects.toMatchObject({
      servers: ['x'],
      outcome: 'NotExecuted',
      message: 'x is of another cluster than a, b: it has other data',
    });
    await expect(connect([b!, other[1]!])).rejects.toThrow(WrongServersError);
  });

  it('are refused at connect when one is listed twice', async () => {
    const [a, b] = memoryCluster().servers();
    const again = over(a!, { id: 'again' });
    await expect(connect([a!, b!, again])).rejects.toThrow(/a and again are one server/);
  });

  it('are refused before a set that leads changes anything', async () => {
    await using store = memoryStore();
    const [a, b] = memoryCluster({ ids: ['a', 'b'] }).servers();
    const [, y] = memoryCluster({ ids: ['x', 'y'] }).servers();
    let administered = 0;
    const watched = (server: Server<MemoryClient>) =>
      over(server, {
        administer(term, signal) {
          administered++;
          return server.administer!(term, signal);
        },
      });
    const all = [a!, b!, y!].map(watched);
    await expect(connect(all, { authority: leading({ store }) })).rejects.toThrow(WrongServersError);
    expect(administered).toBe(0);
    expect(await store.get('failover:replica-set:term')).toBeUndefined();
  });

  it('one that becomes another later is never followed nor read, until it is of the set again', async () => {
    let isOther = false;
    const other: Parameters<typeof sightings>[0] = sighting =>
      isOther ? { cluster: 'elsewhere', role: 'primary', position: { ...sighting.position, term: 9 } } : {};
    const servers = memoryCluster()
      .servers()
      .map(server => (server.id === 'b' ? sightings(other)(server) : server));
    const set = await connect(servers);
    isOther = true;
    await expect.poll(() => stateOf(set, 'b')).toBe('down');
    expect(set.snapshot().primary).toBe('a');
    const where = new Set<string>();
    for (let n = 0; n < 20; n++) {
      where.add(await set.read(async db => db.server, { consistency: 'eventual' }));
    }
    expect([...where]).toEqual(['c']);
    isOther = false;
    await expect.poll(() => stateOf(set, 'b')).toBe('up');
  });

  it('one that was made anew is not taken for a member', async () => {
    await using store = memoryStore();
    let cluster: string | undefined;
    const servers = memoryCluster()
      .servers()
      .map(server =>
        server.id === 'c' ? sightings(() => (cluster === undefined ? {} : { cluster }))(server) : server,
      );
    const set = await connect(servers, { authority: leading({ store }) });
    await set.changeMembers({ remove: ['c'] });
    cluster = 'elsewhere';
    await expect.poll(() => stateOf(set, 'c')).toBe('down');
    await expect(set.changeMembers({ add: ['c'] })).rejects.toThrow(WrongServersError);
    expect(set.snapshot().leading?.members).toEqual(['a', 'b']);
  });

  it('all of which were made anew are followed, as by a process that begins now', async () => {
    let cluster: string | undefined;
    const anew = sightings(() => (cluster === undefined ? {} : { cluster }));
    const set = await connect(memoryCluster().servers().map(anew));
    cluster = 'anew';
    await set.write(db => db.set('a', '1'));
    await expect.poll(() => set.snapshot().servers.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
    await set.write(db => db.set('a', '2'));
  });
});
