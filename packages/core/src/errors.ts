/** Whether the work behind a failed call took effect. `Unknown` is never retried unless the caller says so. */
export type CallOutcome = 'NotExecuted' | 'Executed' | 'Unknown';

const codes = Symbol.for('ashlar.error.codes');

/**
 * The base of every error that an Ashlar package throws on purpose.
 *
 * `code` is stable across releases; the message is for people and is not. `instanceof` compares codes, not
 * prototypes, so it also holds between two installed copies of a package. A subclass declares its own
 * `static code`; one that does not is recognized by its prototype only.
 */
export class AshlarError extends Error {
  static readonly code: string = 'ASHLAR_CORE_ERROR';
  /** Whether errors of this class say that a later attempt may succeed. */
  static readonly retryable: boolean = false;
  readonly code: string;
  /** Whether the same call may succeed later, with nothing changed by the caller: a lost connection, not a bad key. */
  readonly retryable: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = new.target.code;
    this.retryable = new.target.retryable;
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true });
    Object.defineProperty(this, codes, { value: codesOf(new.target) });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (!Object.hasOwn(this, 'code')) return Function.prototype[Symbol.hasInstance].call(this, value);
    const carried = (value as { [codes]?: readonly string[] })[codes];
    return carried?.includes(this.code) ?? false;
  }
}

function codesOf(type: typeof AshlarError): readonly string[] {
  const found: string[] = [];
  for (let at: typeof AshlarError = type; typeof at.code === 'string'; at = Object.getPrototypeOf(at)) {
    if (!found.includes(at.code)) found.push(at.code);
  }
  return found;
}

/** An option, argument or setting that cannot be honored; thrown before anything has happened. */
export class InvalidOptionError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CORE_INVALID_OPTION';
  /** The name of the option, as the caller wrote it. */
  readonly option: string;

  constructor(option: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.option = option;
  }
}

/** The client library that an adapter needs is not installed. The message names the command that installs it. */
export class MissingPeerError extends AshlarError {
  static override readonly code: string = 'ASHLAR_CORE_MISSING_PEER';
  /** The library, as npm calls it. */
  readonly peer: string;

  /**
   * @param adapter the entry that needs it: `@ashlar/lb/grpc`
   * @param range what to install: `undici@7`
   */
  constructor(adapter: string, peer: string, range: string, options?: ErrorOptions) {
    super(`${adapter} needs ${peer}: run \`npm install ${range}\``, options);
    this.peer = peer;
  }
}
