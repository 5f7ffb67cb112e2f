import { fuzzProgram } from '@workspace/fuzz';
import { runProgram } from '@workspace/program';
import { fuzzed } from './run.ts';

const about = `The sets of several processes write and read over one memory cluster, while servers die, stand still, lag and
are promoted, and processes stand still. A read that misses what its level promises, an acknowledged write that is lost, one
that was told not executed and was, two primaries in one term, a call or a close that does not end, is printed with its
smallest case. The exit code is 1 then.`;

await runProgram('fuzz', fuzzProgram({ ...fuzzed(), package: '@ashlar/replica-failover', about }));
