import { fuzzProgram } from '@workspace/fuzz';
import { runProgram } from '@workspace/program';
import { fuzzed } from './run.ts';

const about = `Several drivers over one state publish, consume, settle, fail, give back and forget messages, while connections
break, answers are lost and leases end. On BullMQ, other code has jobs in the same queues; there and on RabbitMQ, an operator
empties and deletes them, and sets limits. What comes though it must not, too early, out of order or in two hands, what is counted wrongly,
lost, or never settles, is printed with its smallest case. The exit code is 1 then.`;

await runProgram('fuzz', fuzzProgram({ ...fuzzed(), package: '@ashlar/queue', about }));
