export type { Block } from './blocks.ts';
export { blocksOf } from './blocks.ts';
export { documents, markdownFiles } from './documents.ts';
export { optionsNotAmong, wordsOf } from './options.ts';
export { markdownTests } from './plugin.ts';
export { typeErrors } from './type-check.ts';
