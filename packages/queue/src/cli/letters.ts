import type { ReadDeadLetter } from '../operating/dead-letter-box.ts';

const longestPayload = 120;

/** A dead letter on one line. */
export function letterLine({
  id,
  payload,
  body,
  reason,
  failures,
  deliveries,
  diedAtMs,
}: ReadDeadLetter): string {
  const text = payload === undefined ? `${body.byteLength} bytes` : payloadText(payload);
  const counts = `${failures} failures, ${deliveries} deliveries`;
  const why = reason.replace(/\s*[\r\n\u2028\u2029]\s*/g, ' '); // Of errors that have several lines
  return `${new Date(diedAtMs).toISOString()}  ${id}  ${counts}  ${why}  ${shortened(text)}`;
}

/** The same with all there is; the body as base64 where it is no JSON. */
export function letterJson({ body, payload, diedAtMs, ...letter }: ReadDeadLetter): object {
  const isBytes = payload === undefined || payload instanceof Uint8Array;
  const content = isBytes ? { body: Buffer.from(body).toString('base64') } : { payload };
  return { ...letter, diedAt: new Date(diedAtMs).toISOString(), ...content };
}

function payloadText(payload: unknown): string {
  return payload instanceof Uint8Array ? `${payload.byteLength} bytes` : JSON.stringify(payload);
}

function shortened(text: string): string {
  return text.length <= longestPayload ? text : `${text.slice(0, longestPayload)}…`;
}
