import { seededRandom } from '@ashlar/core';
import { median } from '@workspace/bench';
import { alignedTable } from '@workspace/program';
import { compressed } from '../src/adapters/compressed.ts';
import { jsonSerializer } from '../src/tiers/serializer.ts';

// Prints bytes and microseconds, medians of interleaved rounds; the time in the pool of threads is waited for.

const words = 'stone table lamp garden copper oak linen chair small large blue grey soft round'.split(' ');

/** A list of products, as an API answers it. */
function answer(bytes: number): object[] {
  const random = seededRandom(7);
  const some = (count: number) =>
    Array.from({ length: count }, () => words[Math.floor(random() * words.length)]).join(' ');
  const items: object[] = [];
  for (let length = 0; length < bytes; length += JSON.stringify(items.at(-1)).length) {
    const id = `p-${Math.floor(random() * 1e9).toString(36)}`;
    const updatedAt = new Date(1.75e12 + random() * 1e10).toISOString();
    items.push({ id, name: some(3), text: some(14), price: Math.floor(random() * 1e5) / 100, updatedAt });
  }
  return items;
}

const json = jsonSerializer<object>();
const subjects = {
  'json alone': json,
  'level 1': compressed(json, { overBytes: 0, asyncOverBytes: 2 ** 30 }),
  'level 6': compressed(json, { overBytes: 0, asyncOverBytes: 2 ** 30, level: 6 }),
  'level 1, pool': compressed(json, { overBytes: 0, asyncOverBytes: 0 }),
  'level 1 (A/A)': compressed(json, { overBytes: 0, asyncOverBytes: 2 ** 30 }),
};

async function microseconds(times: number, work: () => unknown): Promise<number> {
  const from = performance.now();
  for (let i = 0; i < times; i++) await work();
  return ((performance.now() - from) / times) * 1_000;
}

for (const size of [1_000, 10_000, 100_000]) {
  const value = answer(size);
  const samples = new Map<string, { encode: number[]; decode: number[] }>();
  let bytes: Record<string, number> = {};
  const times = 2_000_000 / (size + 10_000);
  for (let round = 0; round < 9; round++) {
    for (const [name, serializer] of Object.entries(subjects)) {
      const stored = await serializer.encode(value);
      bytes = { ...bytes, [name]: stored.length };
      const sample = samples.get(name) ?? { encode: [], decode: [] };
      samples.set(name, sample);
      sample.encode.push(await microseconds(times, () => serializer.encode(value)));
      sample.decode.push(await microseconds(times, () => serializer.decode(stored)));
    }
  }
  const rows = [...samples].map(([name, { encode, decode }]) => {
    return [
      name,
      `${bytes[name]} bytes`,
      `encode ${median(encode).toFixed(0)}`,
      `decode ${median(decode).toFixed(0)}`,
    ];
  });
  console.log(alignedTable(rows));
}
