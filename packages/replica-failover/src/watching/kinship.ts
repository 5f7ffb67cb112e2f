import { WrongServersError } from '../errors.ts';
import type { Sighting } from '../server.ts';

interface Seen {
  readonly id: string;
  readonly state: 'new' | 'up' | 'down';
  readonly sighting: Sighting | undefined;
}

/**
 * Whether the servers are one primary and its replicas. The set is of the cluster of the server that answers first; one of
 * another is not believed, and so gets no work, takes no part in a change of the primary and is never followed. When
 * all servers are of another cluster, it was made anew, and the set is of that.
 */
export class Kinship {
  #cluster: string | undefined;
  /** What each server has said last. */
  readonly #said = new Map<string, string | undefined>();
  /** What was found wrong last, until a look at the same server finds nothing. */
  readonly #wrong = new Map<string, WrongServersError>();

  /** What is wrong with the servers, if it is known to be. */
  get wrong(): WrongServersError | undefined {
    return [...this.#wrong.values()][0];
  }

  /** What is wrong with what the server says. */
  objection(id: string, sighting: Sighting, servers: readonly Seen[]): WrongServersError | undefined {
    this.#said.set(id, sighting.cluster);
    const wrong = this.#twin(id, sighting, servers) ?? this.#stranger(id, sighting, servers);
    if (wrong === undefined) this.#wrong.delete(id);
    else this.#wrong.set(id, wrong);
    return wrong;
  }

  #twin(id: string, { instance }: Sighting, servers: readonly Seen[]): WrongServersError | undefined {
    const twin = servers.find(
      each => each.id !== id && each.state === 'up' && each.sighting?.instance === instance,
    );
    if (twin === undefined) return undefined;
    return new WrongServersError(`${twin.id} and ${id} are one server: list each server once`, [twin.id, id]);
  }

  #stranger(id: string, { cluster }: Sighting, servers: readonly Seen[]): WrongServersError | undefined {
    if (cluster === undefined) return undefined;
    if (servers.every(each => this.#said.get(each.id) === cluster)) this.#cluster = cluster;
    this.#cluster ??= cluster;
    if (cluster === this.#cluster) return undefined;
    const ours = servers.map(each => each.id).filter(each => this.#said.get(each) === this.#cluster);
    return new WrongServersError(
      `${id} is of another cluster than ${ours.join(', ') || 'the set'}: it has other data`,
      [id],
    );
  }
}
