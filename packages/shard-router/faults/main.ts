import { main } from '@workspace/faults';
import { answers } from './answers.ts';
import { report } from './fault.ts';
import { pgliteKills } from './pglite-moving/kills.ts';
import { moveFaults } from './postgres-moving/moves.ts';
import { redisMoveFaults } from './redis-moving/moves.ts';

await main({
  package: '@ashlar/shard-router',
  faults: [...moveFaults, ...redisMoveFaults, pgliteKills, answers],
  report,
  notes: `unexpected: an answer that differs from that of one database with all rows; the remark has the query.
lost: writes that were acknowledged and are not on the shard that has their key; duplicated: those that are there twice, or on two shards.
twoPlaces: writes past the router which the old shard let in after the new one had; stale: session and strong reads that missed a write.
write pause (pauseMs): the longest write of a moved row since the move began, by the slowest process. recovery (recoveryMs): from the fault to the end of the move.
ROWS says how many customers there are (default 100 000, each with two rows; 500000 makes a million rows; on Redis each with a hash). Each run of a move says on the
standard error how it went: its seed, the step of the fault, how long the steps took, what failed on the way, the longest writes and the moments in which
they began, how long writes took in each step, and what servers of Redis say of what held them up. Without a fault, a write pause is to be 150 ms at p50 and 500 at most.
RATE says how many writes a second each of the two processes makes, whatever the shards do (default 100); each is followed by its reads.
COPY_SHARE says in which part of the time PostgreSQL copies rows (default that of the package; 1 with BUSY).
BUSY=1, for a machine with other work: moves have more patience, and pauses are not judged.`,
});
