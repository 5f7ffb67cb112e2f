import { describeWith } from '@workspace/services/vitest';
import { describe } from 'vitest';
import { type KindName, kinds } from '../../faults/kinds.ts';

/** Tests on a server of this kind of their own; those of a kind that needs none run anywhere. */
export function describeKind(kind: KindName, name: string, body: () => void): void {
  const { needs } = kinds[kind];
  if (needs === undefined) describe(name, body);
  else describeWith([{ own: needs }], name, body);
}
