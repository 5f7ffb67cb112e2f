import type { QueryClient } from './client.ts';
import { quoted } from './sql-parts.ts';

/** What a server says of a collation. */
export interface ServerCollation {
  readonly name: string;
  /** Equal where servers order texts alike; of one whose version nobody knows, undefined. Null where there is no such collation. */
  readonly identity: string | undefined | null;
  /** The version with which its indexes were made, where the server has another by now. */
  readonly outdated: string | undefined;
}

/** The same in words, for a message. */
export function inWords({ identity }: ServerCollation): string {
  return (JSON.parse(identity ?? '[]') as readonly unknown[]).filter(each => each !== null).join(' ');
}

interface Told {
  readonly name: string;
  readonly isThere: boolean;
  /** `c` of the C library, `i` of ICU, `b` of PostgreSQL itself. */
  readonly provider: string;
  readonly locale: string;
  readonly rules: string | null;
  readonly isDeterministic: boolean;
  readonly recorded: string | null;
  readonly actual: string | null;
}

/** Of the names in the first parameter. Versions of PostgreSQL have the locale in columns of different names. */
const collationsSql = `(SELECT json_agg(json_build_object('name', each.name, 'isThere', c.oid IS NOT NULL, 'provider', l.provider,
    'locale', CASE WHEN l.provider = 'c' THEN coalesce(d.datcollate, c.collcollate)
      ELSE coalesce(j.d ->> 'datlocale', j.d ->> 'daticulocale', j.c ->> 'colllocale', j.c ->> 'colliculocale') END,
    'rules', coalesce(j.d ->> 'daticurules', j.c ->> 'collicurules'), 'isDeterministic', c.collisdeterministic,
    'recorded', CASE WHEN d.oid IS NULL THEN c.collversion ELSE j.d ->> 'datcollversion' END,
    'actual', CASE WHEN d.oid IS NULL THEN pg_collation_actual_version(c.oid) ELSE pg_database_collation_actual_version(d.oid) END
  ) ORDER BY i)::text
  FROM json_array_elements_text($1::text::json) WITH ORDINALITY AS each(name, i)
  LEFT JOIN pg_collation AS c ON c.oid = to_regcollation(quote_ident(each.name))
  LEFT JOIN pg_database AS d ON c.collprovider = 'd' AND d.datname = current_database()
  CROSS JOIN LATERAL (SELECT to_jsonb(c) AS c, to_jsonb(d) AS d) AS j
  CROSS JOIN LATERAL (SELECT coalesce(j.d ->> 'datlocprovider', j.c ->> 'collprovider') AS provider) AS l)`;

/** What the server of this client says of these collations. */
export async function collationsOf(
  client: QueryClient,
  names: readonly string[],
): Promise<readonly ServerCollation[]> {
  const { rows } = await client.query(`SELECT ${collationsSql} AS "collations"`, [JSON.stringify(names)]);
  return serverCollations(rows[0].collations);
}

/** Texts by the name of the collation in which they are to be ranked. */
export type Texts = ReadonlyMap<string, readonly string[]>;

/** Texts with their places in the order of a collation: equal for those that it takes for equal. */
export type Ranks = ReadonlyMap<string, number>;

/** The ranks of texts on the server of this client, and what it says of the collations. */
export async function ranksOf(
  client: QueryClient,
  texts: Texts,
): Promise<{
  readonly collations: readonly ServerCollation[];
  readonly ranks: ReadonlyMap<string, Ranks>;
}> {
  const names = [...texts.keys()];
  const ranked = names.map(
    (name, n) => `(SELECT string_agg(rank::text, ' ' ORDER BY i) FROM (
      SELECT i, dense_rank() OVER (ORDER BY text COLLATE ${quoted(name)}) AS rank
      FROM json_array_elements_text($${n + 2}::text::json) WITH ORDINALITY AS each(text, i)) AS ranked) AS "ranks${n}"`,
  );
  const { rows } = await client.query(
    `SELECT ${collationsSql} AS "collations", ${ranked.join(', ')}`,
    [names, ...texts.values()].map(each => JSON.stringify(each)),
  );
  const ranks = [...texts].map(([name, all], n) => {
    const places = String(rows[0][`ranks${n}`] ?? '').split(' ');
    return [name, new Map(all.map((text, i) => [text, Number(places[i])]))] as const;
  });
  return { collations: serverCollations(rows[0].collations), ranks: new Map(ranks) };
}

function serverCollations(told: string): readonly ServerCollation[] {
  return (JSON.parse(told) as readonly Told[]).map(each => {
    const { name, isThere, provider, locale, rules, isDeterministic, recorded, actual } = each;
    if (!isThere) return { name, identity: null, outdated: undefined };
    // The C library has versions of all but those that compare code points
    const isKnown = actual !== null || (provider === 'c' && /^(C|POSIX)(\.|$)/.test(locale));
    const says = [provider, locale, rules, isDeterministic ? null : 'nondeterministic', actual];
    const isOutdated = recorded !== null && recorded !== actual;
    return {
      name,
      identity: isKnown ? JSON.stringify(says) : undefined,
      outdated: isOutdated ? recorded : undefined,
    };
  });
}
