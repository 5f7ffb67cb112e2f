export { type Fault, type Finding, type Round, type Scene, Tally } from './fault.ts';
export { main } from './main.ts';
export { Peer } from './peer.ts';
export { programArgs, startThread } from './program.ts';
export { type Report, type Row, rowOf } from './report.ts';
export { type RunOptions, runFault } from './run.ts';
export { say } from './say.ts';
