import { fuzzProgram } from '@workspace/fuzz';
import { runProgram } from '@workspace/program';
import { fuzzed } from './run.ts';

const about = `Routers of several processes write and read while slots move between shards in memory, coordinators die or stand
still at any step, routers stand still with transactions open, moves are undone and rolled back, keys of a directory are forgotten, with their rows or without, and
purged, and answers of the store are lost or its changes late. An acknowledged write that is lost, one that was told not executed and was, a read that is stale, a
row in two places, a fence or a feed that is left behind, a call that does not end, is printed with its smallest case. The exit
code is 1 then.`;

await runProgram('fuzz', fuzzProgram({ ...fuzzed(), package: '@ashlar/shard-router', about }));
