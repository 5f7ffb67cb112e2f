import { fuzzProgram } from '@workspace/fuzz';
import { runProgram } from '@workspace/program';
import { fuzzed } from './run.ts';

const about = `A data set of several processes is built, published and read while they die or stand still at any step, their clocks differ, the
store refuses, loses answers or is late, and sources, checks and sinks throw, hang or call back, on schedules around the days on which
clocks change. A tick that is lost, launched twice or against its rule, a version that is published twice, fenced or torn, a reader that
goes back, a history that says otherwise, a call that does not end, a timer that is left, is printed with its smallest case. The
exit code is 1 then.`;

await runProgram('fuzz', fuzzProgram({ ...fuzzed(), package: '@ashlar/cron-precompute', about }));
