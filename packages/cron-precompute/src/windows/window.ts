/** When runs may work. Times are milliseconds since 1970. */
export interface WorkWindow {
  isOpen(ms: number): boolean;
  /** The next time that it opens, after this one. */
  opensAt(ms: number): number;
  /** The next time that it closes, after this one. */
  closesAt(ms: number): number;
  /** Called before the others are, often; may read what they go by. Default: nothing. */
  refresh?(): Promise<void>;
}
