export { type FuzzProgram, fuzzProgram } from './program.ts';
export { type Finding, type Fuzzed, type FuzzOptions, type FuzzReport, fuzz } from './run.ts';
