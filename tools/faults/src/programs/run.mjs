// Runs a program that is written in TypeScript, also in a thread: `node --conditions=@ashlar/source run.mjs PROGRAM [argument
// ...]`. Plain JavaScript, as it runs before there is anything that reads TypeScript: to load that takes longer than most programs do.
import { pathToFileURL } from 'node:url';
import { bundled } from './bundled.mjs';

process.argv.splice(1, 1);
await import(pathToFileURL(await bundled(process.argv[1] ?? '')).href);
