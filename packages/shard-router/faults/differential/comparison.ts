import type { Random } from '@ashlar/core';
import type { ShardedTable, ShardRouter } from '../../src/index.ts';
import { answerOf, ask, difference, type Towns, where } from './asked.ts';
import {
  literal,
  type Name,
  names,
  nullable,
  pick,
  type references,
  type tables,
  tenants,
  valueFor,
} from './items.ts';
import {
  type Condition,
  conditionOf,
  isForDatabases,
  type Question,
  questionOf,
  sqlOf,
  sqlOfCondition,
} from './questions.ts';

type Router = ShardRouter<unknown, typeof tables, typeof references>;
type Items = ShardedTable<unknown, typeof tables.items>;

/** One PostgreSQL that has all rows. */
export interface Whole {
  query(
    sql: string,
  ): Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly rowCount: number | null }>;
}

interface Write {
  readonly sql: string;
  run(items: Items): Promise<number>;
}

type Step = { readonly write: Write } | { readonly question: Question };

/** What all subjects must agree on after a step: an answer, a number of rows, or that a row is there already. */
type Outcome = readonly string[] | number | 'duplicate';

/**
 * Runs the same steps on shards of several kinds and on one database, alone or several in a transaction, which commits or is rolled
 * back. Returns what differs, in words.
 */
export class Comparison {
  readonly #routers: Readonly<Record<string, Router>>;
  readonly #whole: Whole;
  /** Questions that were compared. */
  questions = 0;

  constructor(routers: Readonly<Record<string, Router>>, whole: Whole) {
    this.#routers = routers;
    this.#whole = whole;
  }

  /** Fills the tables with so many rows. */
  async fill(random: Random, rows: number): Promise<string[]> {
    const faults: string[] = [];
    for (let n = 0; n < rows; n++)
      faults.push(...(await this.#alone({ write: upsert(random, pick(random, tenants)) })));
    return faults;
  }

  async round(random: Random): Promise<string[]> {
    if (random() < 0.5) return this.#together(random);
    const writes = Array.from({ length: Math.floor(random() * 3) }, () => ({
      write: writeOf(random, undefined),
    }));
    const faults: string[] = [];
    for (const step of writes) faults.push(...(await this.#alone(step)));
    const questions = Array.from({ length: 4 }, () => ({ question: questionOf(random, undefined) }));
    const answers: Outcome[] = [];
    for (const step of questions) answers.push(await onWhole(this.#whole, step));
    // Side by side, on the connections that others have used
    const compared = questions.map((step, i) => this.#onAll(step, answers[i]!));
    return [...faults, ...(await Promise.all(compared)).flat()];
  }

  async #alone(step: Step): Promise<string[]> {
    return this.#onAll(step, await onWhole(this.#whole, step));
  }

  async #onAll(step: Step, expected: Outcome): Promise<string[]> {
    const asked = Object.entries(this.#routers).filter(([name]) => isAnsweredBy(name, step));
    const faults = asked.map(async ([name, router]) => {
      return this.#compare(
        name,
        step,
        await onShards(router.table('items'), router.reference('towns'), step),
        expected,
      );
    });
    return (await Promise.all(faults)).flat();
  }

  /** Several in a transaction, for one key. */
  async #together(random: Random): Promise<string[]> {
    const tenant = pick(random, tenants);
    const steps: Step[] = Array.from({ length: 2 + Math.floor(random() * 5) }, () =>
      random() < 0.4 ? { write: writeOf(random, tenant) } : { question: questionOf(random, tenant) },
    );
    const commits = random() < 0.6;
    const expected: Outcome[] = [];
    await this.#whole.query('BEGIN');
    for (const step of steps) {
      const outcome = await onWhole(this.#whole, step);
      expected.push(outcome);
      if (outcome === 'duplicate') break;
    }
    await this.#whole.query(commits ? 'COMMIT' : 'ROLLBACK');
    const faults: string[] = [];
    for (const [name, router] of Object.entries(this.#routers)) {
      const undo = new Error('rolled back');
      const outcomes: Outcome[] = [];
      const work = router.transaction(tenant, async transaction => {
        outcomes.length = 0;
        for (const [i, step] of steps.entries()) {
          if (!isAnsweredBy(name, step)) {
            outcomes.push(expected[i]!);
            continue;
          }
          const outcome = await onShards(
            transaction.table('items') as Items,
            router.reference('towns'),
            step,
          );
          outcomes.push(outcome);
          if (outcome === 'duplicate') throw undo;
        }
        if (!commits) throw undo;
      });
      await work.catch(error => {
        if (error !== undo) faults.push(`${name}: a transaction failed: ${error}`);
      });
      for (const [i, each] of expected.slice(0, outcomes.length).entries())
        if (isAnsweredBy(name, steps[i]!))
          faults.push(...this.#compare(`${name} in a transaction`, steps[i]!, outcomes[i]!, each));
    }
    return faults;
  }

  #compare(name: string, step: Step, ours: Outcome, theirs: Outcome): string[] {
    if ('write' in step) return ours === theirs ? [] : [`${name}: ${ours}, not ${theirs}: ${step.write.sql}`];
    this.questions++;
    const differs = difference(step.question, ours as string[], theirs as string[]);
    return differs === undefined ? [] : [`${name}: ${differs}: ${sqlOf(step.question)}`];
  }
}

/** Shards in memory have one collation. */
function isAnsweredBy(name: string, step: Step): boolean {
  return name !== 'memory' || 'write' in step || !isForDatabases(step.question);
}

async function onWhole(whole: Whole, step: Step): Promise<Outcome> {
  if ('question' in step) return answerOf(step.question, (await whole.query(sqlOf(step.question))).rows);
  try {
    return (await whole.query(step.write.sql)).rowCount ?? 0;
  } catch (error) {
    if ((error as { code?: string }).code === '23505') return 'duplicate';
    throw error;
  }
}

async function onShards(items: Items, towns: Towns, step: Step): Promise<Outcome> {
  if ('question' in step) return ask(items, towns, step.question);
  try {
    return await step.write.run(items);
  } catch (error) {
    if ((error as { code?: string }).code === 'ASHLAR_SHARD_ROUTER_DUPLICATE_ROW') return 'duplicate';
    throw error;
  }
}

function writeOf(random: Random, tenant: string | undefined): Write {
  const kind = random();
  if (kind < 0.5) return upsert(random, tenant ?? pick(random, tenants));
  const conditions: Condition[] = [conditionOf(random), conditionOf(random)];
  if (tenant !== undefined) conditions.push(['tenant', '=', tenant]);
  const filter = conditions.map(sqlOfCondition).join(' AND ');
  if (kind < 0.6) {
    return {
      sql: `DELETE FROM items WHERE ${filter}`,
      run: items =>
        (
          where(items.delete() as never, conditions).everywhere() as never as { run(): Promise<number> }
        ).run(),
    };
  }
  const name = pick(
    random,
    names.filter(each => each !== 'tenant' && each !== 'id'),
  );
  const value = nullable(random, name);
  return {
    sql: `UPDATE items SET ${name} = ${literal(name, value)} WHERE ${filter}`,
    run: items => {
      const update = items.update({ [name]: value } as never);
      return (where(update as never, conditions).everywhere() as never as { run(): Promise<number> }).run();
    },
  };
}

function upsert(random: Random, tenant: string): Write {
  const row: Partial<Record<Name, unknown>> = { tenant, id: valueFor(random, 'id') };
  for (const name of names) if (!(name in row) && random() < 0.8) row[name] = nullable(random, name);
  const columns = Object.keys(row) as Name[];
  const into = `INSERT INTO items (${columns.join(', ')}) VALUES (${columns.map(name => literal(name, row[name])).join(', ')})`;
  if (random() < 0.3) return { sql: into, run: items => items.insert(row as never) };
  const sets = columns
    .slice(2)
    .map(name => `${name} = EXCLUDED.${name}`)
    .join(', ');
  return {
    sql: `${into} ON CONFLICT (tenant, id) DO ${sets === '' ? 'NOTHING' : `UPDATE SET ${sets}`}`,
    run: items => items.upsert(row as never),
  };
}
