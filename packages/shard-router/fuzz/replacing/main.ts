import { fuzzProgram } from '@workspace/fuzz';
import { runProgram } from '@workspace/program';
import { replacing } from './run.ts';

const about = `One move at a time, there and back, while servers of the two shards are replaced between its steps: by an empty one, by what a backup of before has,
or by its disk of before. What a server had that no backup has is lost. Anything else that is lost, a row in two places, a shard that takes writes of rows that it has
lost, or none of rows that it has, a move that does not end, and what it leaves, is printed with its smallest case. The exit code is 1 then.`;

await runProgram('fuzz', fuzzProgram({ ...replacing(), package: '@ashlar/shard-router', about }));
