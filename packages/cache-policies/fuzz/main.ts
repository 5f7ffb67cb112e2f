import { runProgram } from '@workspace/program';
import { program } from './program.ts';

await runProgram('fuzz', program);
