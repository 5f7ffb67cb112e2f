import type { Lease, Store, Version } from '@ashlar/store';

/** A record as an earlier process left it. */
export interface LeftRecord {
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Of the copy under the new token. */
  readonly version: Version;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const atOnce = 64;

/**
 * What the keys of a journal begin with: its prefix in quotation marks. No such text is the beginning of another one, so
 * journals have no key in common, and none with an application that keeps its own keys under the prefix.
 */
function namespaceOf(prefix: string): string {
  return JSON.stringify(prefix);
}

export function recordName(prefix: string, token: bigint, id: unknown): string {
  return `${namespaceOf(prefix)}${token}:${id}`;
}

/**
 * Copies the records of earlier holders under the token of this one, and seals: a record with an older token than the seal
 * is never read again, however late it arrives. The next holder repeats a takeover that did not finish.
 *
 * Calls `check` with each record before anything is changed.
 */
export async function takeOver(
  store: Store,
  prefix: string,
  lease: Lease,
  check: (record: Omit<LeftRecord, 'version'>) => Promise<void>,
): Promise<readonly LeftRecord[]> {
  const namespace = namespaceOf(prefix);
  const sealName = `${namespace}sealed`;
  const seal = await store.get(sealName);
  const sealed = seal === undefined ? 0n : BigInt(decoder.decode(seal.value));
  const names: string[] = [];
  const newest = new Map<string, { readonly token: bigint; readonly bytes: Uint8Array }>();
  for await (const { key: name, value: bytes } of store.list(namespace)) {
    const [, digits, id] = /^(\d+):(.*)$/su.exec(name.slice(namespace.length)) ?? [];
    if (digits === undefined || id === undefined) continue;
    names.push(name);
    const token = BigInt(digits);
    if (token >= sealed && token >= (newest.get(id)?.token ?? 0n)) newest.set(id, { token, bytes });
  }
  const found = Array.from(newest, ([id, { bytes }]) => ({ id, bytes }));
  for (const record of found) await check(record);
  const records: LeftRecord[] = [];
  for (let at = 0; at < found.length; at += atOnce) {
    const copies = found.slice(at, at + atOnce).map(async ({ id, bytes }) => {
      return { id, bytes, version: await store.set(recordName(prefix, lease.token, id), bytes) };
    });
    records.push(...(await Promise.all(copies)));
  }
  // a record that an earlier holder sent has arrived by now, or it does not count
  lease.assertHeld();
  const ifVersion = seal?.version ?? 'absent';
  await store.set(sealName, encoder.encode(`${lease.token}`), { ifVersion });
  for (let at = 0; at < names.length; at += atOnce) {
    await Promise.allSettled(names.slice(at, at + atOnce).map(name => store.delete(name)));
  }
  return records;
}
