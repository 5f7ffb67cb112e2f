/**
 * Numbers of advisory locks, one namespace a purpose, so that a lock of one is never waited for by another. Two keys may
 * share a number by chance, which costs concurrency and nothing else.
 */
export type LockPurpose = 'writer' | 'deduplication' | 'relay' | 'handler' | 'schema';

/**
 * SQL of the number of an advisory lock. The hash is the server's, so that all of its clients agree.
 *
 * @param name an SQL expression of type text: the table, the topic and the key, for example
 */
export function lockNumber(purpose: LockPurpose, name: string): string {
  return `hashtextextended('ashlar-queue ${purpose} ' || (${name}) COLLATE "C", 0)`;
}

/**
 * SQL of a query that takes the locks of writers of keys until the end of the transaction, and returns one row when it
 * has all of them.
 *
 * Writers of one key take its lock **before** they insert, so before their rows get their ids: whoever reads rows of the
 * key in the order of their ids then never finds one before an earlier one that is not committed yet. The numbers
 * are locked in their order, so that two batches never wait for each other.
 *
 * @param names an SQL query with one column of type text, `name`
 */
export function writerLocks(names: string): string {
  return `SELECT count(pg_advisory_xact_lock(number)) AS held FROM (
    SELECT DISTINCT ${lockNumber('writer', 'name')} AS number FROM (${names}) AS named ORDER BY 1 OFFSET 0) AS numbered`;
}

/**
 * The same for one key, as a subquery in FROM: its one row is there when the lock is held. `OFFSET 0` keeps it a step of
 * its own, which the ids of the statement wait for.
 *
 * @param name an SQL expression of type text
 */
export function writerLock(name: string): string {
  return `(SELECT pg_advisory_xact_lock(${lockNumber('writer', name)}) OFFSET 0)`;
}
