/** How often a client says that it is there, in milliseconds. Any packet counts as a beat. */
export const beatMs = 1_000;
/** The largest frame that a broker takes from a client. */
export const maxFrameBytes: number = 2 ** 26;
/** The largest message, beside which a packet may hold what else there is to say. */
export const maxMessageBytes: number = maxFrameBytes - 2 ** 21;
/** What may be on its way to a client before it is handed more messages; beyond `maxBehindBytes` it counts as gone. */
export const maxAheadBytes: number = 2 ** 26;
export const maxBehindBytes: number = 2 ** 28;
