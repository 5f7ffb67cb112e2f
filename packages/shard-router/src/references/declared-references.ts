import { describe, InvalidOptionError } from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { InvalidQueryError, InvalidValueError } from '../errors/statements.ts';
import type { Shards } from '../queries/shards.ts';
import type { Guarded } from '../running/guarded.ts';
import { Table } from '../tables/table-of.ts';
import { Heads } from './changes.ts';
import type { References } from './reference.ts';
import { Replicas } from './replicas.ts';

export interface ReferencesOptions<C> {
  readonly router: string;
  readonly store: Store;
  readonly guarded: Guarded<C>;
  readonly shards: readonly string[];
}

/** The reference tables that a router was given. */
export class DeclaredReferences<C> {
  readonly #replicas: ReadonlyMap<string, Replicas<C>>;

  /** @throws InvalidOptionError */
  constructor(references: References, tables: object, options: ReferencesOptions<C>) {
    const { router, store, guarded, shards } = options;
    const executors = new Map(shards.map(shard => [shard, guarded.shard(shard)]));
    this.#replicas = new Map(
      Object.entries(references).map(([name, spec]) => {
        if (Object.hasOwn(tables, name))
          throw new InvalidOptionError(
            `references.${name}`,
            `the table ${describe(name)} is in \`tables\` too`,
          );
        const table = new Table(name, { ...spec, key: [] }, [], true);
        return [name, new Replicas(table, new Heads(store, router, table), executors)];
      }),
    );
  }

  get size(): number {
    return this.#replicas.size;
  }

  /** @throws InvalidValueError when there is none of that name */
  get(name: string): Replicas<C> {
    const replicas = this.#replicas.get(name);
    if (replicas !== undefined) return replicas;
    const known = [...this.#replicas.keys()].join(', ') || 'none';
    throw new InvalidValueError(
      String(describe(name)),
      `is not in the \`references\` of the router, which has ${known}`,
    );
  }

  common(name: string, shards: readonly string[]): Promise<number | undefined> {
    return this.get(name).common(shards);
  }

  versionOn(client: C, name: string): Promise<number> {
    return this.get(name).versionOn(client);
  }

  /** Where the queries of a table run: as if one shard had all rows. */
  shardsOf(replicas: Replicas<C>, shards: Shards<C>): Shards<C> {
    const read: Replicas<C>['read'] = (work, scope) => replicas.read(work, scope);
    const one = { read, write: refuse, transaction: refuse };
    return { ...shards, shard: () => one, on: () => one, isCurrent: async () => true };
  }

  /** Brings what others have left to all shards that can be reached. */
  async sweep(): Promise<readonly { readonly shard: string; readonly error: unknown }[]> {
    const missing: { readonly shard: string; readonly error: unknown }[] = [];
    for (const replicas of this.#replicas.values())
      missing.push(...(await replicas.bring(await replicas.heads.read())));
    return missing;
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new InvalidQueryError('a reference table is written by its own methods'));
}
