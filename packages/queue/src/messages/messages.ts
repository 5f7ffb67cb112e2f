import { describe, refused } from '@ashlar/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidPayloadError } from '../errors.ts';

declare const input: unique symbol;
declare const output: unique symbol;

/** What may be published to each topic (`In`) and what its handlers receive (`Out`); made by `messages`. */
export interface Typed<In, Out = In> {
  readonly [input]?: In;
  readonly [output]?: Out;
}

/** A Standard Schema of each topic: Zod, Valibot, ArkType and others have them. */
export type Schemas = Readonly<Record<string, StandardSchemaV1>>;

type Inputs<S extends Schemas> = { [Topic in keyof S]: StandardSchemaV1.InferInput<S[Topic]> };
type Outputs<S extends Schemas> = { [Topic in keyof S]: StandardSchemaV1.InferOutput<S[Topic]> };

/** Types without checks: `messages<{ 'order.placed': { id: string } }>()`. */
export function messages<M>(): Typed<M>;
/**
 * Types and checks from Standard Schemas: payloads are validated before they are published, and again before a handler
 * receives what its schema makes of them. What is published is the payload as given.
 *
 * @throws InvalidOptionError
 */
export function messages<S extends Schemas>(schemas: S): Typed<Inputs<S>, Outputs<S>>;
export function messages(schemas?: Schemas): Typed<unknown> {
  return new MessageTypes(schemas) as object;
}

/** Also on what another installed copy of this package has made. */
const brand = Symbol.for('ashlar.queue.messages');

export function isMessageTypes(value: unknown): value is MessageTypes {
  return typeof value === 'object' && value !== null && brand in value;
}

/** What `messages` returns, to the engine. */
export class MessageTypes {
  readonly #schemas: ReadonlyMap<string, StandardSchemaV1> | undefined;

  constructor(schemas: Schemas | undefined) {
    Object.defineProperty(this, brand, { value: true });
    if (schemas === undefined) return;
    if (typeof schemas !== 'object' || schemas === null) {
      throw refused('messages', 'an object with a Standard Schema for each topic', schemas);
    }
    for (const [topic, schema] of Object.entries(schemas)) {
      if (typeof schema?.['~standard']?.validate === 'function') continue;
      throw refused(`messages.${topic}`, 'a Standard Schema', schema, 'Zod, Valibot and ArkType make them');
    }
    this.#schemas = new Map(Object.entries(schemas));
  }

  /** Whether payloads are checked; without, `check` need not be called. */
  get checks(): boolean {
    return this.#schemas !== undefined;
  }

  /** What the schema of the topic makes of the payload. @throws InvalidPayloadError */
  async check(topic: string, payload: unknown): Promise<unknown> {
    const schema = this.#schemas?.get(topic);
    if (schema === undefined) {
      if (this.#schemas === undefined) return payload;
      const topics = [...this.#schemas.keys()].join(', ');
      throw new InvalidPayloadError(topic, [`no schema for topic ${describe(topic)}; there are ${topics}`]);
    }
    const result: unknown = await schema['~standard'].validate(payload);
    if (typeof result !== 'object' || result === null) {
      const text = `the schema of ${describe(topic)} must return a value or issues, got ${describe(result)}`;
      throw new TypeError(text);
    }
    const { issues, value } = result as { readonly issues?: unknown; readonly value?: unknown };
    if (issues === undefined) return value;
    throw new InvalidPayloadError(topic, Array.isArray(issues) ? issues.map(issueText) : [describe(issues)]);
  }
}

/** Of an issue as it should be, or of whatever a schema gives in its place: the payload is refused in either case. */
function issueText(issue: unknown): string {
  const { message, path } = (issue ?? {}) as { readonly message?: unknown; readonly path?: unknown };
  const text = typeof message === 'string' ? message : describe(issue);
  const at = Array.isArray(path) ? path.map(stepText).join('.') : '';
  return at === '' ? text : `${at}: ${text}`;
}

function stepText(step: unknown): string {
  const isSegment = typeof step === 'object' && step !== null && 'key' in step;
  return String(isSegment ? step.key : step);
}
