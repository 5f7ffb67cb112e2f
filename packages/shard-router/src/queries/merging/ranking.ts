import { isQueryClient, missingCollation, type QueryClient, undefinedObject } from '../../clients/client.ts';
import {
  collationsOf,
  inWords,
  type Ranks,
  ranksOf,
  type ServerCollation,
  type Texts,
} from '../../clients/collations.ts';
import type { Row } from '../../columns/column.ts';
import { CollationError, InvalidQueryError } from '../../errors/statements.ts';
import type { Collations } from '../../tables/order.ts';
import type { Order } from '../../tables/statement.ts';
import type { ShardQuery } from './shard-cursor.ts';

/** Characters that are sent to be ranked at once: written as JSON, a string of JavaScript and a message of PostgreSQL have room for them. */
const mostCharacters = 50_000_000;

/**
 * The order of texts in collations that JavaScript does not have: one shard ranks those of the rows that are here. Which shard does not
 * matter, as all must have the same collation, in the same version.
 */
export class Ranking {
  readonly #columns: readonly { readonly column: string; readonly collation: string }[];
  readonly #names: readonly string[];
  /** What each shard says of the collations. */
  readonly #said = new Map<string, readonly ServerCollation[]>();
  #ranks: ReadonlyMap<string, Ranks> = new Map();

  /** Undefined where an order has no such collation. */
  static of(orderBy: readonly Order[]): Ranking | undefined {
    const ranking = new Ranking(orderBy);
    return ranking.#columns.length === 0 ? undefined : ranking;
  }

  private constructor(orderBy: readonly Order[]) {
    this.#columns = orderBy.flatMap(({ column, collation }) =>
      collation === undefined ? [] : [{ column, collation }],
    );
    this.#names = [...new Set(this.#columns.map(({ collation }) => collation))];
  }

  /** Compares texts that are ranked. */
  readonly collations: Collations = collation => (a, b) => {
    const ranks = this.#ranks.get(collation)!;
    return ranks.get(a)! - ranks.get(b)!;
  };

  /** The part, which looks at the collations on the connection that it has. */
  in<C>(part: ShardQuery<C>): ShardQuery<C> {
    return {
      ...part,
      look: async (client, hasSnapshot) => {
        await part.look?.(client, hasSnapshot);
        if (hasSnapshot) return;
        const said = await collationsOf(this.#queried(client), this.#names);
        for (const { name, identity } of said) {
          if (identity === null) throw new CollationError(name, `is not on shard ${part.shard}: create it`);
          if (identity === undefined)
            throw new CollationError(name, `has no version on shard ${part.shard} that could be compared`);
        }
        this.#said.set(part.shard, said);
      },
    };
  }

  /** @throws CollationError unless all shards order texts alike */
  check(): void {
    checkSame(this.#said);
  }

  /** What has a shard rank the texts of these rows; undefined where their ranks are known. @throws InvalidQueryError for too much text */
  of(rows: readonly (readonly Row[])[]): ((shard: string, client: unknown) => Promise<void>) | undefined {
    const texts = this.#textsOf(rows);
    const isKnown = [...texts].every(([name, all]) => all.every(text => this.#ranks.get(name)?.has(text)));
    if (isKnown) return undefined;
    return async (shard, client) => {
      const { collations, ranks } = await ranksOf(this.#queried(client), texts).catch(error => {
        throw error?.code === undefinedObject ? missingCollation(this.#names.join(', '), error) : error;
      });
      // It may be another server of the shard than that of its rows
      if (this.#said.size > 0) checkSame(new Map([...this.#said, [shard, collations]]));
      this.#ranks = ranks;
    };
  }

  #textsOf(rows: readonly (readonly Row[])[]): Texts {
    const texts = new Map(this.#names.map(name => [name, new Set<string>()]));
    for (const { column, collation } of this.#columns) {
      const its = texts.get(collation)!;
      for (const each of rows) for (const row of each) if (row[column] !== null) its.add(row[column]);
    }
    let characters = 0;
    for (const its of texts.values()) for (const text of its) characters += text.length;
    if (characters > mostCharacters) {
      throw new InvalidQueryError(
        `texts of ${characters} characters are more than shards put in order at once (${mostCharacters}): give \`batchRows\`, or leave \`collation\` out, for COLLATE "C"`,
      );
    }
    return new Map([...texts].map(([name, its]) => [name, [...its]]));
  }

  #queried(client: unknown): QueryClient {
    if (isQueryClient(client)) return client;
    throw new CollationError(this.#names[0]!, 'is not known to shards in memory');
  }
}

function checkSame(all: ReadonlyMap<string, readonly ServerCollation[]>): void {
  const [[first, said] = [], ...others] = all;
  for (const [i, one] of (said ?? []).entries()) {
    const { name } = one;
    for (const [shard, theirs] of all) {
      const { outdated } = theirs[i]!;
      if (outdated !== undefined) {
        throw new CollationError(
          name,
          `has indexes of version ${outdated} on shard ${shard}, whose server orders otherwise (${inWords(theirs[i]!)}): reindex them, and refresh the version of the collation`,
        );
      }
    }
    const other = others.find(([, theirs]) => theirs[i]!.identity !== one.identity);
    if (other === undefined) continue;
    const [shard, theirs] = other;
    throw new CollationError(
      name,
      `is ${inWords(one)} on shard ${first} and ${inWords(theirs[i]!)} on shard ${shard}, whose rows cannot be merged: make them the same`,
    );
  }
}
