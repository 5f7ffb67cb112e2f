export { endWithParent } from './child.ts';
export { type Command, perform, runCommand } from './command.ts';
export { type Flags, flagsHelp, type GivenFlags, readFlags, UsageError } from './flags.ts';
export { type Running, runProgram } from './run-program.ts';
export { Screen } from './screen.ts';
export { alignedTable, markdownTable } from './table.ts';
