// One replica of the catalogue, a process of its own.
import { createServer } from 'node:http';
import { seededRandom, sleep } from '@ashlar/core';
import { givenSettings, serve } from '../processes/lifeline.ts';
import { catalogue } from './catalogue.ts';
import { simulatedDatabase } from './database.ts';

export interface CatalogueSettings {
  readonly replica: string;
  readonly cache: number;
  readonly loadMs: number;
  readonly seed: number;
}

const { replica, cache, loadMs, seed } = givenSettings<CatalogueSettings>();
const database = simulatedDatabase({ loadMs, random: seededRandom(seed), sleep });
await serve(createServer(catalogue({ replica, cache, database })));
