import type pg from 'pg';
import { afterAll, describe, it } from 'vitest';
import { replicaSetConformance } from '../../src/conformance.ts';
import { endShared, postgresSubject } from './subject.ts';

afterAll(endShared);

replicaSetConformance<pg.Client>({ describe, it }, postgresSubject, { name: 'PostgreSQL' });
