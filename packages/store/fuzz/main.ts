import { fuzzProgram } from '@workspace/fuzz';
import { runProgram } from '@workspace/program';
import { fuzzed } from './run.ts';

const about = `Several stores over one state get calls at once, with odd keys, values and numbers, as users with few rights, while their
server refuses writes, loses connections or is silent. What no order of the calls explains, what fails without a reason or
a type, never settles, or is left behind, is printed with its smallest case. The exit code is 1 then.`;

await runProgram('fuzz', fuzzProgram({ ...fuzzed(), package: '@ashlar/store', about }));
