// One replica of the catalogue, a process of its own.
import { createServer } from 'node:http';
import { seededRandom, sleep } from '@ashlar/core';
import { givenSettings, serve } from '../processes/lifeline.ts';
import { catalogue } from './catalogue.ts';
import { ailing, type Condition } from './condition.ts';
import { simulatedDatabase } from './database.ts';

export interface CatalogueSettings {
  readonly replica: string;
  readonly cache: number;
  readonly loadMs: number;
  readonly seed: number;
}

const { replica, cache, loadMs, seed } = givenSettings<CatalogueSettings>();
const database = simulatedDatabase({ loadMs, random: seededRandom(seed), sleep });

let condition: Condition = 'well';
process.on('message', (told: Condition) => {
  condition = told;
});
await serve(createServer(ailing(catalogue({ replica, cache, database }), () => condition)));
