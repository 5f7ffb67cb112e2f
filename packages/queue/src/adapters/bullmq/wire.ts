import type { OutgoingMessage } from '../../driver.ts';

/** A message as the data of a job: a CloudEvent in the structured JSON format, so that any worker of BullMQ reads it. */
interface CloudEvent {
  readonly specversion: '1.0';
  readonly [attribute: string]: unknown;
}

/** What a job carries, its own data or that of a message. */
export interface Received {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  /** Milliseconds since the epoch after which it is dropped. */
  readonly expiresAt: number;
}

const json = 'application/json';
/** Headers that are attributes by themselves: the extension of CloudEvents for distributed tracing. */
const tracing = new Set(['traceparent', 'tracestate']);
/** Holds the other headers, as JSON: an attribute has a name of letters and digits, and no structure. */
const others = 'headers';
/** Names the attributes that no header has given, as an event needs them. */
const added = 'added';

export function jobData(topic: string, message: OutgoingMessage): object {
  const { id, body, headers, key, expiresInMs } = message;
  const event: Record<string, unknown> = {};
  const more: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('ce-')) event[name.slice(3)] = value;
    else if (tracing.has(name)) event[name] = value;
    else if (name !== 'content-type') more[name] = value;
  }
  const needed = { specversion: '1.0', id, source: '/', type: topic, partitionkey: key };
  const missing = Object.entries(needed).filter(([name, value]) => value !== undefined && !(name in event));
  for (const [name, value] of missing) event[name] = value;
  if (missing.length > 0) event[added] = missing.map(([name]) => name).join(' ');
  if (expiresInMs !== undefined) event['expirytime'] = new Date(Date.now() + expiresInMs).toISOString();
  if (Object.keys(more).length > 0) event[others] = JSON.stringify(more);
  const type = headers['content-type'];
  if (type !== undefined) event['datacontenttype'] = type;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const parsed = type === json ? faithful(bytes.toString()) : undefined;
  if (parsed !== undefined) event['data'] = parsed;
  else event['data_base64'] = bytes.toString('base64');
  return event;
}

/** Whatever a job has as its data. That of other code is the body as it is. */
export function received(
  { name, data }: { readonly name: string; readonly data: unknown },
  id: string,
): Received {
  if (!isCloudEvent(data)) {
    const headers = { 'content-type': json, 'ce-id': id, 'ce-type': name };
    return { body: bytesOf(data), headers, key: undefined, expiresAt: Infinity };
  }
  const {
    data: payload,
    data_base64,
    datacontenttype,
    [others]: more,
    [added]: names,
    expirytime,
    ...attributes
  } = data;
  const headers: Record<string, string> = {};
  const made = new Set(typeof names === 'string' ? names.split(' ') : []);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (!made.has(attribute)) headers[tracing.has(attribute) ? attribute : `ce-${attribute}`] = String(value);
  }
  if (more !== undefined) Object.assign(headers, headersOf(more));
  if (datacontenttype !== undefined) headers['content-type'] = String(datacontenttype);
  const { partitionkey } = attributes;
  return {
    body: typeof data_base64 === 'string' ? Buffer.from(data_base64, 'base64') : bytesOf(payload),
    headers,
    key: partitionkey === undefined ? undefined : String(partitionkey),
    expiresAt: expirytime === undefined ? Infinity : Date.parse(String(expirytime)),
  };
}

/** The data of a message that has a time when it is over, without that; nothing of other data. */
export function withoutExpiry(data: unknown): object | undefined {
  if (!isCloudEvent(data) || data['expirytime'] === undefined) return undefined;
  const { expirytime: _, ...rest } = data;
  return rest;
}

/** The value of a text that is JSON, if making JSON of the value gives that very text; else undefined. */
function faithful(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

function isCloudEvent(data: unknown): data is CloudEvent {
  const { specversion, id, source, type } = (data ?? {}) as Record<string, unknown>;
  return specversion === '1.0' && [id, source, type].every(each => typeof each === 'string');
}

function headersOf(text: unknown): Record<string, string> {
  try {
    return JSON.parse(String(text)) as Record<string, string>;
  } catch {
    return {}; // Written by something else
  }
}

function bytesOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value) ?? 'null');
}
