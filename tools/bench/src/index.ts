export {
  type Bench,
  type Comparison,
  type Figures,
  figures,
  inTable,
  noiseFloor,
  type Row,
  timing,
} from './bench.ts';
export { type Contest, cost, costOver, type Operation } from './cpu.ts';
export { main } from './main.ts';
export { lastResult, type MeasureOptions, measure, median, type Work } from './measure.ts';
export { bytesKept, collectGarbage } from './memory.ts';
