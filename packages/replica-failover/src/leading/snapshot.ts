/** A server that is on its way back, or that must not be used as it is. */
export interface MemberNote {
  readonly state: 'rewinding' | 'quarantined';
  /** The term whose primary it is to follow. */
  readonly term: number;
  /** Why it is in quarantine. */
  readonly why?: string;
}

/** What a process that leads knows of the order of its servers. JSON-safe. */
export interface LeadingSnapshot {
  /** `starting`: the store has not been read yet, or has no term. */
  readonly phase: 'starting' | 'serving' | 'changing';
  /** The servers that the order counts. */
  readonly members: readonly string[];
  /** How many of them must acknowledge a write. */
  readonly synchronous: number | undefined;
  /** Why writes that were acknowledged may be missing in this term, if they may. */
  readonly loss: string | undefined;
  /** Servers that are on their way back, or in quarantine. */
  readonly notes: Readonly<Record<string, MemberNote>>;
  /** What an operator should know. */
  readonly warnings: readonly string[];
}
