import { InvalidQueryError } from '../errors/statements.ts';
import { checkScope, type QueryScope, type StreamScope } from '../running/scopes.ts';
import type { MissingShard } from './merging/scatter.ts';

/** Refuses an answer that may lack shards and has no room to say so. @throws InvalidQueryError */
export function checkWhole(what: string, scope: QueryScope, instead: string): void {
  checkScope('query', scope);
  if (scope.onShardError !== 'partial') return;
  throw new InvalidQueryError(
    `${what} cannot say which shards it lacks: use ${instead}, whose \`missing\` does`,
  );
}

/** @throws InvalidQueryError when a stream may lack shards and nobody would know */
export function checkTold(scope: StreamScope, missing: MissingShard[] | undefined): void {
  checkScope('stream', scope);
  if (scope.onShardError !== 'partial' || missing !== undefined) return;
  throw new InvalidQueryError(
    'a stream that may lack shards needs a list to note them in: `stream({ onShardError: "partial" }, missing)`',
  );
}
