export { endWithParent } from './child.ts';
export type { Flag, Flags, GivenFlags } from './flags.ts';
export { flagsHelp, readFlags, UsageError } from './flags.ts';
export { nearest } from './nearest.ts';
export { type Running, runProgram } from './run-program.ts';
export { type Color, type Environment, type Output, Screen } from './screen.ts';
